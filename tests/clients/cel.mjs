// Reads what cel_conditions prints and evaluates each text with CEL for JavaScript. Prints a JSON line for each that differs
// and, last, how many were read: {"read": N, "differ": M}.
import { createInterface } from "node:readline";
import { celUint, isCelError, isCelList, isCelMap, isCelType, isCelUint, run } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";

// The people of tests/cel/main.cpp.
const people = [
  { flag: true, orders: 4n, visits: celUint(12n), revenue: 1234.5, city: "Paris", plan: "pro", nothing: null,
    tags: ["a", 2n, "pro"], address: new Map([["city", "Lyon"], ["zip", 69001n]]) },
  { flag: false, orders: -3n, visits: celUint(0n), revenue: -0.5, city: "", plan: "été", nothing: null,
    tags: [], address: new Map([["city", "Lyon"]]) },
];

const hex = (bytes) => Buffer.from(bytes).toString("hex");

function bits(number) {
  if (Number.isNaN(number)) return "NaN";
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(number);
  return buffer.toString("hex");
}

function described(value) {
  if (value === undefined || isCelError(value)) return "error";
  if (value === null) return "null";
  switch (typeof value) {
    case "boolean": return String(value);
    case "bigint": return `int ${value}`;
    case "number": return `double ${bits(value)}`;
    case "string": return `string ${hex(value)}`;
  }
  if (isCelUint(value)) return `uint ${value.value}`;
  if (value instanceof Uint8Array) return `bytes ${hex(value)}`;
  if (isCelList(value)) return `[${[...value].map((item) => described(item) + "; ").join("")}]`;
  if (isCelMap(value)) {
    const entries = [...value.entries()].map(([key, item]) => [described(key), described(item)]);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${key}: ${item}; `).join("")}}`;
  }
  if (isCelType(value)) return `type ${value.name}`;
  const message = value.message;
  const kind = message.$typeName === "google.protobuf.Timestamp" ? "timestamp" : "duration";
  return `${kind} ${message.seconds * 1000000000n + BigInt(message.nanos)}`;
}

let read = 0;
let differ = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { text, person, value } = JSON.parse(line);
  ++read;
  let theirs;
  try {
    theirs = described(run(text, people[person], { funcs: strings }));
  } catch (error) {
    theirs = `thrown: ${error.message}`;
  }
  if (theirs !== value) {
    ++differ;
    console.log(JSON.stringify({ text, person, ours: value, theirs }));
  }
}
console.log(JSON.stringify({ read, differ }));
