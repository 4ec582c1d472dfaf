// Values as text and back: what the JSON form and messages are made of.
//
// Every append_x adds the text of one value to `out`; read_x takes exactly what append_x writes (and the few other
// spellings that are named), and nothing is lost in between. Nothing here depends on the locale.
// Thread safety: pure functions. Complexity: linear, but for decimals of n digits O(n^2) / 18^2 steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/value.h"

namespace utan::object {

// Integers have at most so many decimal digits as text: so many are read in 0.03 s and written in 0.2 s.
inline constexpr std::size_t decimal_digits_max = 100'000;

// --- Integers --------------------------------------------------------------------------------------------------------

// `bytes` as format::Value::big_integer has them. Code::too_large: more than decimal_digits_max digits.
Result<void> append_decimal(std::string& out, std::span<const std::byte> bytes);
// An integer as JSON writes it: digits, the first not 0 unless it is alone, a minus before them. A big integer lies in
// `room`, in as few bytes as it can. Code::invalid: it is none; Code::too_large: more than decimal_digits_max digits.
Result<format::Value> read_integer(std::string_view text, std::vector<std::byte>& room);

// --- Reals -----------------------------------------------------------------------------------------------------------

// The fewest digits that come back as the same real, with a point or an exponent: "1.0", "-0.0", "1e+300". What is not
// finite: append_special_real.
void append_real(std::string& out, double value);
// A number as JSON writes it, rounded to the nearest real. False: beyond the range of reals.
bool read_real(std::string_view text, double& out);
// A value that is not finite: "inf", "-inf", "nan", and "nan:" with the sixteen hexadecimal digits of all its bits if
// these are others than those of the usual NaN, 7ff8000000000000.
void append_special_real(std::string& out, std::uint64_t bits);
bool read_special_real(std::string_view text, std::uint64_t& bits);

// --- Datetimes, UUIDs, bytes -----------------------------------------------------------------------------------------

// Microseconds since 1970 as "2024-01-02T03:04:05.000006" in the proleptic Gregorian calendar, with "Z" behind it if
// `utc`; no fraction if it is 0. A year before 1 or after 9999 has a sign and six digits, year 0 being the one before
// year 1: "+012024-...", "-000001-...". So has ECMAScript.
void append_datetime(std::string& out, std::int64_t microseconds, bool utc);
// The fraction may have one to six digits.
bool read_datetime(std::string_view text, std::int64_t& microseconds, bool& utc);

// Sixteen bytes, as 01234567-89ab-cdef-0123-456789abcdef. Upper case is read, too.
void append_uuid(std::string& out, std::span<const std::byte> bytes);
bool read_uuid(std::string_view text, std::array<std::byte, 16>& bytes);

// Base64 of RFC 4648, section 4, with padding. Text that a writer would write otherwise is not read.
void append_base64(std::string& out, std::span<const std::byte> bytes);
bool read_base64(std::string_view text, std::vector<std::byte>& bytes);

// --- Strings ---------------------------------------------------------------------------------------------------------

// A JSON string with its quotes, escaped only where JSON demands it. False: `text` is not UTF-8; then `out` has some of it.
bool append_quoted(std::string& out, std::string_view text);

}  // namespace utan::object
