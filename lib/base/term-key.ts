/**
 * The canonical key of a term: a string that two terms share exactly when they are the same term, and whose
 * order, by UTF-16 code units as JavaScript's `<` compares strings, is the order of terms (term-order.ts).
 * So a store finds a record by it, keeps records sorted by it and goes on from it.
 *
 * The first character tells the type:
 *
 *     0  -Infinity        F  false        [  array       {  object
 *     1  below zero       N  null         d  date
 *     2  zero             T  true         s  string
 *     3  above zero       U  undefined    x  bytes
 *     4  Infinity
 *     5  NaN
 *
 * A number above zero is 0.DIGITS x 10^E: `3`, the letter or letters of E, and DIGITS, which neither begin nor
 * end with 0. E from 1 to 20 is a letter from `b` to `u`, below 1 `a` and E + 400 in three digits, above 20 `v`
 * and E in three digits. 42 is `3c42`, 1.5 is `3b15`, 0.05 is `3a3995`. A number below zero is `1`, then that
 * of its absolute value with all turned round: `b` to `u` become `u` to `b`, `a` and `v` change places, each
 * digit becomes 9 minus it, and `~` ends it. Integers up to 64 bits have all their digits, other numbers the
 * fewest that tell them from their neighbours, as JavaScript writes them.
 *
 * A string is `s` and its text, bytes are `x` and hexadecimal digits, a date is `d` and the number of its
 * milliseconds since 1970 (NaN for an invalid one). An array is `[`, its items and `)`. An object is `{`, the
 * number of its fields, their names in order as strings, then the values in that order; a field that holds
 * undefined is a field. Inside of arrays and objects, numbers above zero and bytes end with `,`, and strings
 * with U+0000, a U+0000 in them being U+0000 U+00FF.
 *
 * Only well-formed strings have a key: the codec would make one of two that are not.
 */
import { SupercastError } from "./errors.ts";
import {
  describeValue,
  fits64Bits,
  isPlainObject,
  isWellFormed,
  NESTING_MAX,
  noTerm,
  tooDeep,
} from "./term.ts";

const TEXT_END = "\u0000";
const TEXT_NUL = "\u0000\u00ff";
/** No bigint beyond this may travel; below it an integer has all its digits. */
const WORD_END = 2 ** 64;
/** The exponents that are a single letter go from 1 to this, and its place is that of `u`. */
const EXPONENT_LETTERS = 20;
const BEFORE_LETTERS = "a";
const AFTER_LETTERS = "v";
const LETTER_ZERO = 97;
/** Keeps the exponents below 1 above zero: the smallest double has -323. */
const LOW_EXPONENT = 400;
const CODE_0 = 48;
/** `a` and `v` add up to this, and so do `b` and `u`. */
const TURN_LETTERS = 2 * LETTER_ZERO + EXPONENT_LETTERS + 1;

/** Throws `invalid_message` for what is no term, and for a string that is not well-formed. */
export function termKey(value: unknown): string {
  return keyOf(value, "", NESTING_MAX);
}

/** `end` closes what has no end of its own; inside of arrays and objects it is ",", elsewhere "". */
function keyOf(value: unknown, end: "" | ",", levels: number): string {
  switch (typeof value) {
    case "string":
      return end === "" ? `s${wellFormed(value)}` : enclosed(value);
    case "number":
      return numberKey(value, end);
    case "bigint":
      return bigintKey(value, end);
    case "boolean":
      return value ? "T" : "F";
    case "undefined":
      return "U";
    case "object":
      return value === null ? "N" : objectKey(value, end, levels);
    default:
      throw noTerm(describeValue(value));
  }
}

function objectKey(value: object, end: "" | ",", levels: number): string {
  if (value instanceof Uint8Array) {
    return `x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}${end}`;
  }
  if (value instanceof Date) {
    return `d${numberKey(value.getTime(), end)}`;
  }
  if (levels === 0) {
    throw tooDeep();
  }
  if (Array.isArray(value)) {
    let key = "[";
    for (let index = 0; index < value.length; index++) {
      key += keyOf(value[index], ",", levels - 1);
    }
    return `${key})`;
  }
  if (!isPlainObject(value)) {
    throw noTerm(describeValue(value));
  }
  const names = Object.keys(value).sort();
  let head = `{${numberKey(names.length, ",")}`;
  let values = "";
  for (const name of names) {
    if (name === "__proto__") {
      throw noTerm('a field "__proto__"');
    }
    head += enclosed(name);
    values += keyOf(value[name], ",", levels - 1);
  }
  return head + values;
}

/** What follows the end begins with a character of ASCII, so that it is not taken for a U+0000 in the text. */
function enclosed(text: string): string {
  const whole = text.includes(TEXT_END) ? text.replaceAll(TEXT_END, TEXT_NUL) : text;
  return `s${wellFormed(whole)}${TEXT_END}`;
}

function wellFormed(text: string): string {
  if (!isWellFormed(text)) {
    throw new SupercastError(
      "invalid_message",
      `holds ${JSON.stringify(text)}, which is no well-formed text`,
    );
  }
  return text;
}

function numberKey(value: number, end: "" | ","): string {
  if (value > 0) {
    return value === Number.POSITIVE_INFINITY ? "4" : `3${magnitude(value)}${end}`;
  }
  if (value < 0) {
    return value === Number.NEGATIVE_INFINITY ? "0" : `1${turned(magnitude(-value))}~`;
  }
  return value === 0 ? "2" : "5";
}

function bigintKey(value: bigint, end: "" | ","): string {
  if (!fits64Bits(value)) {
    throw noTerm(describeValue(value));
  }
  if (value === 0n) {
    return "2";
  }
  return value > 0n ? `3${integer(String(value))}${end}` : `1${turned(integer(String(-value)))}~`;
}

/** The exponent and the digits of a finite number above zero. */
function magnitude(value: number): string {
  if (Number.isInteger(value) && value < WORD_END) {
    return integer(String(value <= Number.MAX_SAFE_INTEGER ? value : BigInt(value)));
  }
  // "d.ddde+x", with the fewest digits that come back as the same number.
  const written = value.toExponential();
  const mark = written.indexOf("e");
  return exponent(Number(written.slice(mark + 1)) + 1) + written.slice(0, mark).replace(".", "");
}

/** Of all digits of an integer above zero. */
function integer(digits: string): string {
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === CODE_0) {
    end -= 1;
  }
  return exponent(digits.length) + (end === digits.length ? digits : digits.slice(0, end));
}

function exponent(power: number): string {
  if (power > EXPONENT_LETTERS) {
    return AFTER_LETTERS + String(power).padStart(3, "0");
  }
  return power > 0
    ? String.fromCharCode(LETTER_ZERO + power)
    : BEFORE_LETTERS + String(power + LOW_EXPONENT).padStart(3, "0");
}

/** Each letter and digit counted from the other end, so that the order is the other way round. */
function turned(magnitude: string): string {
  let text = "";
  for (let at = 0; at < magnitude.length; at++) {
    const code = magnitude.charCodeAt(at);
    text += String.fromCharCode(code < LETTER_ZERO ? 2 * CODE_0 + 9 - code : TURN_LETTERS - code);
  }
  return text;
}
