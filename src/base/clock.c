#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Each log line and each message has a time in it: snprintf would be a tenth of writing them. */
static char *put_number(char *p, int value, int digits, char separator)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    p[digits] = separator;
    return p + digits + 1;
}

struct text clock_to_text(int64_t us, char *buffer)
{
    int64_t rest = us % USEC_PER_SEC;
    time_t seconds = (time_t)(us / USEC_PER_SEC);
    struct tm tm;

    if (rest < 0) {
        rest += USEC_PER_SEC;
        seconds--;
    }
    gmtime_r(&seconds, &tm);
    char *p = put_number(buffer, tm.tm_year + 1900, 4, '-');
    p = put_number(p, tm.tm_mon + 1, 2, '-');
    p = put_number(p, tm.tm_mday, 2, 'T');
    p = put_number(p, tm.tm_hour, 2, ':');
    p = put_number(p, tm.tm_min, 2, ':');
    p = put_number(p, tm.tm_sec, 2, '.');
    p = put_number(p, (int)(rest / 1000), 3, 'Z');
    return (struct text){buffer, (size_t)(p - buffer)};
}

/* `digits` decimal digits off the front of *t, between min and max, then `separator` unless it is
 * 0. */
static bool take_number(struct text *t, size_t digits, int min, int max, char separator, int *ret)
{
    int64_t value;
    size_t all = digits + (separator ? 1 : 0);

    if (t->len < all || t->ptr[0] == '-' || !text_to_i64((struct text){t->ptr, digits}, &value))
        return false;
    if (value < min || value > max || (separator && t->ptr[digits] != separator))
        return false;
    *ret = (int)value;
    t->ptr += all;
    t->len -= all;
    return true;
}

/* ".123456": 1 to 6 digits, in microseconds; nothing there is 0. */
static bool take_fraction(struct text *t, int64_t *ret_us)
{
    int64_t us = 0;
    int64_t unit = USEC_PER_SEC / 10;

    *ret_us = 0;
    if (t->len == 0 || t->ptr[0] != '.')
        return true;
    size_t i = 1;
    for (; i < t->len && t->ptr[i] >= '0' && t->ptr[i] <= '9'; i++, unit /= 10)
        us += (t->ptr[i] - '0') * unit;
    if (i == 1 || i > 7)
        return false;
    t->ptr += i;
    t->len -= i;
    *ret_us = us;
    return true;
}

/* "Z" or "+02:00", which must be all that is left. */
static bool take_offset(struct text t, int64_t *ret_s)
{
    int hours, minutes;

    *ret_s = 0;
    if (text_equal(t, TEXT("Z")))
        return true;
    if (t.len != 6 || (t.ptr[0] != '+' && t.ptr[0] != '-'))
        return false;
    int sign = t.ptr[0] == '-' ? -1 : 1;
    t.ptr++;
    t.len--;
    /* Zones end at +14:00. The database, which reads the times of a list and of a merge patch
     * itself, takes what is below 16:00. */
    if (!take_number(&t, 2, 0, 15, ':', &hours) || !take_number(&t, 2, 0, 59, 0, &minutes))
        return false;
    *ret_s = (int64_t)sign * (hours * 3600 + minutes * 60);
    return true;
}

/* False for what is no day: timegm makes the 31st of February one of March. */
static bool is_calendar_day(struct tm tm, time_t *ret)
{
    int day = tm.tm_mday;

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret = timegm(&tm);
    return tm.tm_mday == day;
}

bool clock_is_day(struct text t)
{
    struct tm tm = {0};
    time_t unused;

    return take_number(&t, 4, 1, 9999, '-', &tm.tm_year) &&
           take_number(&t, 2, 1, 12, '-', &tm.tm_mon) &&
           take_number(&t, 2, 1, 31, 0, &tm.tm_mday) && t.len == 0 && is_calendar_day(tm, &unused);
}

bool clock_from_text(struct text t, int64_t *ret_us)
{
    struct tm tm = {0};
    int64_t fraction_us, offset_s;

    if (!take_number(&t, 4, 1970, 9999, '-', &tm.tm_year) ||
        !take_number(&t, 2, 1, 12, '-', &tm.tm_mon) ||
        !take_number(&t, 2, 1, 31, 'T', &tm.tm_mday) ||
        !take_number(&t, 2, 0, 23, ':', &tm.tm_hour) ||
        !take_number(&t, 2, 0, 59, ':', &tm.tm_min) || !take_number(&t, 2, 0, 59, 0, &tm.tm_sec) ||
        !take_fraction(&t, &fraction_us) || !take_offset(t, &offset_s))
        return false;
    time_t seconds;
    if (!is_calendar_day(tm, &seconds))
        return false;
    *ret_us = ((int64_t)seconds - offset_s) * USEC_PER_SEC + fraction_us;
    return true;
}
