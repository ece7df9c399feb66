"""sluice/plugin.h as it must never become, as its next minor version may be, and as an earlier one would have been."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INCLUDE = ROOT / "sdk/include"
HEADER = (INCLUDE / "sluice/plugin.h").read_text(encoding="utf-8")


def replaced(old, new, text=HEADER):
    """`text` with the one place that matches the pattern changed."""
    out, count = re.subn(old, new, text, count=2, flags=re.M)
    assert count == 1, f"{old!r} is there {count} times"
    return out


def body(struct, text):
    """Where the members of a struct begin and end."""
    start = re.search(rf"struct {struct} {{", text).end()
    return start, text.index("\n}", start)


def in_struct(struct, old, new, text=HEADER):
    start, end = body(struct, text)
    return text[:start] + replaced(old, new, text[start:end]) + text[end:]


def appended(struct, member, text):
    _, end = body(struct, text)
    return text[:end] + "\n  " + member + text[end:]


# What may never happen to a header that was released. The first word says which change it is.
BREAKS = {
    "a field inserted in the middle": in_struct("sluice_record", r"^  uint32_t op; ", "  uint32_t inserted; uint32_t op;"),
    "a field inserted in a struct that is passed in an array":
        replaced(r"sluice_header \{ sluice_str name, value; \}", "sluice_header { uint64_t inserted; sluice_str name, value; }"),
    "a field widened": in_struct("sluice_outcome", r"^  sluice_status status;", "  int64_t status;"),
    "the last field widened": in_struct("sluice_incoming", r"^  int64_t received_us;", "  sluice_str received_us;"),
    "the type of every status widened": replaced(r"typedef int32_t sluice_status;", "typedef int64_t sluice_status;"),
    "two fields exchanged": in_struct("sluice_subscribe", r"sluice_str route;(.*\n  )sluice_str url;", r"sluice_str url;\1sluice_str route;"),
    "a slot removed": in_struct("sluice_connector", r"^  sluice_status \(\*deliver\).*\n", ""),
    "the last slot removed": in_struct("sluice_connector", r"^  sluice_status \(\*unsubscribe\).*$", ""),
    "a service removed": in_struct("sluice_host", r"^  void \(\*metric\).*\n", ""),
    "the values of an enumeration reordered":
        replaced(r"SLUICE_LEAVE = 5, ", "SLUICE_LEAVE = 4, ", replaced(r"SLUICE_ENTER = 4, ", "SLUICE_ENTER = 5, ")),
    "a purpose removed": replaced(r"SLUICE_FOR_PROVISION = 5, ", ""),
}
# These change no offset, so abidiff alone sees them ...
RETYPED = {
    "a parameter retyped": in_struct("sluice_call", r"int64_t remaining, int64_t reset_us", "int64_t remaining, uint64_t reset_us"),
    "a parameter added": in_struct("sluice_host", r"int64_t \(\*now_us\)\(const sluice_host\*\);",
                                   "int64_t (*now_us)(const sluice_host*, int32_t clock);"),
}
# ... and this is no type, so the offsets' file alone does.
RENUMBERED = {
    "a status renumbered": replaced(r"^#define SLUICE_SKIPPED     8", "#define SLUICE_SKIPPED     9"),
    "less padding": replaced(r"^#define SLUICE_PADDING  64", "#define SLUICE_PADDING  32"),
}

GROWING = ("sluice_record", "sluice_outcome", "sluice_request", "sluice_response", "sluice_incoming", "sluice_reply", "sluice_open",
           "sluice_poll", "sluice_plan", "sluice_interpret", "sluice_discover", "sluice_provision", "sluice_subscribe", "sluice_plugin")


def newer():
    """The next minor version: something is appended to each struct, and an operation is new."""
    text = HEADER.replace("#define SLUICE_ABI_MINOR 0", "#define SLUICE_ABI_MINOR 1")
    for struct in GROWING:
        text = appended(struct, "sluice_str appended;", text)
    text = appended("sluice_call", "sluice_status (*appended)(sluice_call*, sluice_str);", text)
    text = appended("sluice_host", "void (*appended)(const sluice_host*);", text)
    text = appended("sluice_connector", "sluice_status (*appended)(sluice_instance*, sluice_call*);", text)
    return replaced(r"SLUICE_SNAPSHOT_END = 11 ", "SLUICE_SNAPSHOT_END = 11, SLUICE_APPENDED = 12", text)


def older():
    """The minor version before ours, if the last field of these had been appended since."""
    text = HEADER
    for struct, last in (("sluice_record", r"^  sluice_str place;.*$"), ("sluice_outcome", r"^  sluice_str remote_id;.*$"),
                         ("sluice_request", r"^  sluice_str bucket;.*$"), ("sluice_open", r"^  sluice_str routes_url;.*$"),
                         ("sluice_poll", r"^  const sluice_str\* fields;.*$"), ("sluice_call", r"^  sluice_status \(\*describe\).*$"),
                         ("sluice_host", r"^  const void\* \(\*extension\).*$"),
                         ("sluice_connector", r"^  sluice_status \(\*unsubscribe\).*$")):
        text = in_struct(struct, last, "", text)
    return text


def write(text, folder):
    """-> the folder to include from."""
    (folder / "sluice").mkdir(parents=True, exist_ok=True)
    (folder / "sluice/plugin.h").write_text(text, encoding="utf-8")
    return folder
