//! A destination in Rust, without crates: each record is a request of its own, and the ledger answers with the id under
//! which it keeps the entry. Entries have keys, so one that is sent again changes nothing. README.md says how it is built.

mod sluice;

use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};

use sluice::{Call, Connector, Header, Interpret, Outcome, Plan, Plugin, Record, Request, Response, Status, Str};

/// One configured destination. The hub puts settings and credentials where the manifest says, so it keeps nothing.
struct Ledger;

impl Ledger {
    /// One request for each record.
    unsafe fn plan(&self, args: &Plan, call: *mut Call) -> Result<(), Status> {
        let batch = &*args.batch;
        for index in 0..batch.count {
            self.plan_one(batch.at(index), index, call)?;
        }
        Ok(())
    }

    unsafe fn plan_one(&self, record: &Record, index: u32, call: *mut Call) -> Result<(), Status> {
        #[cfg(feature = "planted_panic")]
        assert_ne!(record.payload.bytes(), b"{\"panic\":true}");
        let mut body = Vec::with_capacity(record.payload.len + 64);
        body.extend_from_slice(b"{\"entry\":");
        append_json(&mut body, record.name.bytes());
        body.extend_from_slice(b",\"data\":");
        body.extend_from_slice(record.payload.bytes()); // it is JSON: spliced as it is
        body.push(b'}');
        let headers = [
            Header { name: Str::of(b"content-type"), value: Str::of(b"application/json") },
            Header { name: Str::of(b"idempotency-key"), value: record.id },
        ];
        let request = Request {
            size: size::<Request>(),
            purpose: 0,
            timeout_ms: 0,
            delay_ms: 0,
            flags: 0,
            header_count: headers.len() as u32,
            record_count: 1,
            reserved: 0,
            method: Str::of(b"POST"),
            url: Str::of(b"/entries"),
            headers: headers.as_ptr(),
            records: &index,
            body: Str::of(&body),
            state: Str::ABSENT,
            bucket: Str::ABSENT,
        };
        said(((*call).request)(call, &request))
    }

    /// The answer's fate is that of its record; `x-entry` is the ledger's own id.
    unsafe fn interpret(&self, args: &Interpret, call: *mut Call) -> Result<(), Status> {
        let response = &*args.response;
        let (status, reason) = verdict(response.status);
        let outcome = Outcome {
            size: size::<Outcome>(),
            status,
            receiver: 0,
            reserved: 0,
            retry_after_ms: response.retry_after_ms,
            reason: Str::of(reason),
            detail: Str::ABSENT,
            remote_id: header(response, b"x-entry"),
        };
        for index in slice(response.records, response.record_count) {
            said(((*call).outcome)(call, *index, &outcome))?;
        }
        Ok(())
    }
}

fn verdict(status: i32) -> (Status, &'static [u8]) {
    match status {
        200..=299 => (sluice::OK, b"entered"),
        409 => (sluice::OK, b"entered_before"),
        401 => (sluice::AUTH, b"refused_credentials"),
        429 => (sluice::THROTTLE, b"too_fast"),
        0 | 408 | 425 | 500..=599 => (sluice::RETRY, b"no_answer"),
        _ => (sluice::INVALID, b"refused"),
    }
}

unsafe fn header(response: &Response, name: &[u8]) -> Str {
    let all = slice(response.headers, response.header_count);
    all.iter().find(|h| h.name.bytes() == name).map_or(Str::ABSENT, |h| h.value)
}

/// As a JSON text, RFC 8259 section 7.
fn append_json(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => out.extend_from_slice(format!("\\u{:04x}", byte).as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

// ---- between C and Rust ----------------------------------------------------------------------------------------------

fn size<T>() -> u32 {
    std::mem::size_of::<T>() as u32
}

unsafe fn slice<'a, T>(from: *const T, count: u32) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    std::slice::from_raw_parts(from, count as usize)
}

/// Whatever is not OK from the host means: stop, and return it.
fn said(status: Status) -> Result<(), Status> {
    if status == sluice::OK {
        Ok(())
    } else {
        Err(status)
    }
}

/// No panic crosses into the hub: it becomes a status, and nothing that the call emitted counts.
unsafe fn guarded(call: *mut Call, body: impl FnOnce() -> Result<(), Status>) -> Status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => sluice::OK,
        Ok(Err(status)) => status,
        Err(_) => ((*call).fail)(call, sluice::INTERNAL, Str::of(b"a panic in the connector")),
    }
}

unsafe extern "C" fn create(_host: *const c_void, _open: *const c_void, call: *mut Call, out: *mut *mut c_void) -> Status {
    guarded(call, || {
        set_hook(Box::new(|_| {})); // this library's own: a panic's text may hold data, and stderr is the hub's
        *out = Box::into_raw(Box::new(Ledger)).cast();
        Ok(())
    })
}

unsafe extern "C" fn destroy(instance: *mut c_void) {
    drop(Box::from_raw(instance.cast::<Ledger>()));
}

unsafe extern "C" fn plan(instance: *mut c_void, args: *const Plan, call: *mut Call) -> Status {
    guarded(call, || (*instance.cast::<Ledger>()).plan(&*args, call))
}

unsafe extern "C" fn interpret(instance: *mut c_void, args: *const Interpret, call: *mut Call) -> Status {
    guarded(call, || (*instance.cast::<Ledger>()).interpret(&*args, call))
}

const MANIFEST_TEXT: &[u8] = br#"{"plugin": "ledger", "version": "1.0.0", "connectors": [{
  "id": "ledger", "kind": "destination", "title": "Ledger", "base_url": "{config.endpoint}", "parallel": 4,
  "auth": {"type": "header", "name": "authorization", "value": "Bearer {secret.token}"},
  "config": {"type": "object", "additionalProperties": false, "required": ["endpoint", "token"], "properties": {
    "endpoint": {"type": "string", "format": "uri"}, "token": {"type": "string", "x-secret": true}}}}]}"#;

const fn ended_by_zero<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let mut i = 0;
    while i < text.len() {
        out[i] = text[i];
        i += 1;
    }
    out
}

/// Where the hub reads it without running any code.
#[link_section = ".sluice_manifest"]
#[used]
static MANIFEST: [u8; MANIFEST_TEXT.len() + 1] = ended_by_zero(MANIFEST_TEXT);

/// Constant data with pointers in it.
struct Constant<T>(T);
unsafe impl<T> Sync for Constant<T> {}

static CONNECTOR: Constant<Connector> = Constant(Connector {
    size: std::mem::size_of::<Connector>() as u32,
    kind: sluice::DESTINATION,
    id: b"ledger\0".as_ptr() as *const c_char,
    create: Some(create),
    destroy: Some(destroy),
    check: None,
    plan: Some(plan),
    interpret: Some(interpret),
    fetch: None,
    receive: None,
    deliver: None,
    read: None,
    discover: None,
    provision: None,
    subscribe: None,
    unsubscribe: None,
});
static CONNECTORS: Constant<[*const Connector; 1]> = Constant([&CONNECTOR.0]);

unsafe impl Sync for Plugin {}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static sluice_plugin_v1: Plugin = Plugin {
    size: std::mem::size_of::<Plugin>() as u32,
    abi_minor: 0,
    needs_minor: 0,
    connector_count: 1,
    connectors: CONNECTORS.0.as_ptr(),
    manifest: MANIFEST.as_ptr() as *const c_char,
};
