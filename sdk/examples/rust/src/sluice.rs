//! `sluice/plugin.h`, as far as a destination needs it. Everything that is passed is borrowed until the call returns.
#![allow(dead_code)]

use std::os::raw::{c_char, c_void};

pub type Status = i32;
pub const OK: Status = 0;
pub const RETRY: Status = 1;
pub const INVALID: Status = 2;
pub const AUTH: Status = 3;
pub const INTERNAL: Status = 5;
pub const THROTTLE: Status = 7;

pub const DESTINATION: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub ptr: *const u8,
    pub len: usize,
}

impl Str {
    pub const ABSENT: Str = Str { ptr: std::ptr::null(), len: 0 };

    /// Borrows `text`, which must outlive the call that it is passed to.
    pub fn of(text: &[u8]) -> Str {
        Str { ptr: text.as_ptr(), len: text.len() }
    }

    /// # Safety
    /// Only while the call runs that it was passed to.
    pub unsafe fn bytes(&self) -> &[u8] {
        if self.ptr.is_null() {
            return &[];
        }
        std::slice::from_raw_parts(self.ptr, self.len)
    }
}

#[repr(C)]
pub struct Header {
    pub name: Str,
    pub value: Str,
}

#[repr(C)]
pub struct Record {
    pub size: u32,
    pub op: u32,
    pub attempt: u32,
    pub reserved: u32,
    pub time_us: i64,
    pub id: Str,
    pub key: Str,
    pub entity: Str,
    pub name: Str,
    pub payload: Str,
    pub identifiers: Str,
    pub address: Str,
    pub remote_id: Str,
    pub audience_id: Str,
    pub place: Str,
}

#[repr(C)]
pub struct Batch {
    pub size: u32,
    pub stride: u32,
    pub count: u32,
    pub reserved: u32,
    pub records: *const c_void,
}

impl Batch {
    /// The hub's records may be longer than ours: the stride leads through them.
    ///
    /// # Safety
    /// `index` is less than `count`, and the call runs that the batch was passed to.
    pub unsafe fn at(&self, index: u32) -> &Record {
        &*(self.records as *const u8).add(index as usize * self.stride as usize).cast::<Record>()
    }
}

#[repr(C)]
pub struct Outcome {
    pub size: u32,
    pub status: Status,
    pub receiver: u32,
    pub reserved: u32,
    pub retry_after_ms: i64,
    pub reason: Str,
    pub detail: Str,
    pub remote_id: Str,
}

#[repr(C)]
pub struct Request {
    pub size: u32,
    pub purpose: u32,
    pub timeout_ms: u32,
    pub delay_ms: u32,
    pub flags: u32,
    pub header_count: u32,
    pub record_count: u32,
    pub reserved: u32,
    pub method: Str,
    pub url: Str,
    pub headers: *const Header,
    pub records: *const u32,
    pub body: Str,
    pub state: Str,
    pub bucket: Str,
}

#[repr(C)]
pub struct Response {
    pub size: u32,
    pub purpose: u32,
    pub status: i32,
    pub header_count: u32,
    pub record_count: u32,
    pub reserved: u32,
    pub retry_after_ms: i64,
    pub received_us: i64,
    pub body: Str,
    pub state: Str,
    pub error: Str,
    pub headers: *const Header,
    pub records: *const u32,
}

#[repr(C)]
pub struct Plan {
    pub size: u32,
    pub part: u32,
    pub batch: *const Batch,
    pub snapshot: Str,
}

#[repr(C)]
pub struct Interpret {
    pub size: u32,
    pub reserved: u32,
    pub response: *const Response,
    pub batch: *const Batch,
    pub poll: *const c_void,
}

/// A slot that is not used here: only its place counts.
pub type Slot = Option<unsafe extern "C" fn()>;

#[repr(C)]
pub struct Call {
    pub size: u32,
    pub reserved: u32,
    pub deadline_us: i64,
    pub cancelled: unsafe extern "C" fn(*mut Call) -> i32,
    pub fail: unsafe extern "C" fn(*mut Call, Status, Str) -> Status,
    pub request: unsafe extern "C" fn(*mut Call, *const Request) -> Status,
    pub outcome: unsafe extern "C" fn(*mut Call, u32, *const Outcome) -> Status,
    // record, reject, checkpoint, ended, reply, limit and describe follow: a destination like this needs none.
}

#[repr(C)]
pub struct Connector {
    pub size: u32,
    pub kind: u32,
    pub id: *const c_char,
    pub create: Option<unsafe extern "C" fn(*const c_void, *const c_void, *mut Call, *mut *mut c_void) -> Status>,
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub check: Slot,
    pub plan: Option<unsafe extern "C" fn(*mut c_void, *const Plan, *mut Call) -> Status>,
    pub interpret: Option<unsafe extern "C" fn(*mut c_void, *const Interpret, *mut Call) -> Status>,
    pub fetch: Slot,
    pub receive: Slot,
    pub deliver: Slot,
    pub read: Slot,
    pub discover: Slot,
    pub provision: Slot,
    pub subscribe: Slot,
    pub unsubscribe: Slot,
}

#[repr(C)]
pub struct Plugin {
    pub size: u32,
    pub abi_minor: u32,
    pub needs_minor: u32,
    pub connector_count: u32,
    pub connectors: *const *const Connector,
    pub manifest: *const c_char,
}

// The sizes of version 1.0: what stands above is what the header says.
const _: () = {
    assert!(std::mem::size_of::<Str>() == 16);
    assert!(std::mem::size_of::<Record>() == 184);
    assert!(std::mem::size_of::<Batch>() == 24);
    assert!(std::mem::size_of::<Outcome>() == 72);
    assert!(std::mem::size_of::<Request>() == 128);
    assert!(std::mem::size_of::<Response>() == 104);
    assert!(std::mem::size_of::<Interpret>() == 32);
    assert!(std::mem::size_of::<Connector>() == 120);
    assert!(std::mem::size_of::<Plugin>() == 32);
};
