// datetimes: the only file that uses the interface of Python's datetime module, which is loaded when one is met first.
#include "values.h"

// After Python.h.
#include <datetime.h>

namespace utan::python {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t day_s = 86'400;

// Days since 1970-01-01 of a date of the Gregorian calendar, and back: by years that begin in March, so that the day that
// leap years have more is the last one.
std::int64_t days_of(int year, int month, int day) {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

struct Date {
  std::int64_t year;
  int month;
  int day;
};

Date date_of(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const auto month_from_march = static_cast<int>((5 * day_of_year + 2) / 153);
  const auto day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  const int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

// Null: an error was set. The capsule is kept, and with it what it leads to, as long as the state: each interpreter has one.
const PyDateTime_CAPI* load(State& state) {
  if (state.datetimes == nullptr) {
    const Ref module(PyImport_ImportModule("datetime"));
    Ref capsule(module ? PyObject_GetAttrString(module.get(), "datetime_CAPI") : nullptr);
    if (!capsule) return nullptr;
    void* const interface = PyCapsule_GetPointer(capsule.get(), PyDateTime_CAPSULE_NAME);
    if (interface == nullptr) return nullptr;
    state.datetimes = interface;
    Py_XDECREF(std::exchange(state.datetimes_capsule, capsule.release()));
  }
  return static_cast<const PyDateTime_CAPI*>(state.datetimes);
}

// Null if none was met before.
const PyDateTime_CAPI* known(const State& state) { return static_cast<const PyDateTime_CAPI*>(state.datetimes); }

std::int64_t microseconds_of(PyObject* object) {
  const std::int64_t days =
      days_of(PyDateTime_GET_YEAR(object), PyDateTime_GET_MONTH(object), PyDateTime_GET_DAY(object));
  const std::int64_t seconds = days * day_s + PyDateTime_DATE_GET_HOUR(object) * 3'600 +
                               PyDateTime_DATE_GET_MINUTE(object) * 60 + PyDateTime_DATE_GET_SECOND(object);
  return seconds * second_us + PyDateTime_DATE_GET_MICROSECOND(object);
}

}  // namespace

bool is_datetime(State& state, PyObject* object) {
  // Whoever made one has loaded the module.
  if (known(state) == nullptr) {
    const Ref name(PyUnicode_InternFromString("datetime"));
    const Ref module(name ? PyImport_GetModule(name.get()) : nullptr);
    if (!module || load(state) == nullptr) {
      PyErr_Clear();
      return false;
    }
  }
  return PyObject_TypeCheck(object, known(state)->DateTimeType) != 0;
}

bool knows_datetimes(const State& state) { return known(state) != nullptr; }

bool is_exact_datetime(const State& state, PyObject* object) {
  return known(state) != nullptr && Py_TYPE(object) == known(state)->DateTimeType;
}

bool is_datetime_type(State& state, PyObject* type) {
  return load(state) != nullptr && type == reinterpret_cast<PyObject*>(known(state)->DateTimeType);
}

bool is_date_type(const State& state, PyObject* type) {
  return known(state) != nullptr && type == reinterpret_cast<PyObject*>(known(state)->DateType);
}

bool take_datetime(State& state, PyObject* object, utan_value& out) {
  out.type = UTAN_DATETIME;
  if (PyDateTime_DATE_GET_TZINFO(object) == Py_None) {
    out.integer = microseconds_of(object);
    return true;
  }
  const Ref offset(PyObject_CallMethod(object, "utcoffset", nullptr));
  if (!offset) return false;
  out.integer = microseconds_of(object);
  if (offset.get() == Py_None) return true;  // it does not know its zone: naive
  out.type = UTAN_DATETIME_UTC;
  if (load(state) == nullptr) return false;
  if (PyObject_TypeCheck(offset.get(), known(state)->DeltaType) == 0) {
    PyErr_SetString(PyExc_TypeError, "utcoffset() returned something else than a timedelta");
    return false;
  }
  const std::int64_t seconds =
      PyDateTime_DELTA_GET_DAYS(offset.get()) * day_s + PyDateTime_DELTA_GET_SECONDS(offset.get());
  out.integer -= seconds * second_us + PyDateTime_DELTA_GET_MICROSECONDS(offset.get());
  // What would come back must be a datetime, too.
  const std::int64_t first = days_of(1, 1, 1) * day_s * second_us;
  const std::int64_t end = days_of(10'000, 1, 1) * day_s * second_us;
  if (out.integer >= first && out.integer < end) return true;
  PyErr_SetString(PyExc_OverflowError, "the datetime is out of range in UTC");
  return false;
}

PyObject* datetime_object(State& state, std::int64_t microseconds, bool utc) {
  const PyDateTime_CAPI* const interface = load(state);
  if (interface == nullptr) return nullptr;
  const std::int64_t part = microseconds % second_us;
  const std::int64_t fraction = part < 0 ? part + second_us : part;
  const std::int64_t seconds = (microseconds - fraction) / second_us;
  const std::int64_t rest = seconds % day_s;
  const auto time = static_cast<int>(rest < 0 ? rest + day_s : rest);
  const Date date = date_of((seconds - time) / day_s);
  if (date.year < 1 || date.year > 9'999) {
    PyErr_Format(PyExc_OverflowError, "a datetime of the year %lld: Python has the years 1 to 9999",
                 static_cast<long long>(date.year));
    return nullptr;
  }
  return interface->DateTime_FromDateAndTime(static_cast<int>(date.year), date.month, date.day, time / 3'600,
                                             time / 60 % 60, time % 60, static_cast<int>(fraction),
                                             utc ? interface->TimeZone_UTC : Py_None, interface->DateTimeType);
}

}  // namespace utan::python
