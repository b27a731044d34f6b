#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"

/* Decimal digits at *text; moves *text behind them. */
static int take_number(const char **text, uint64_t *ret_value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return -1;
	errno = 0;
	*ret_value = strtoull(*text, &end, 10);
	*text = end;
	return errno ? -1 : 0;
}

int size_parse(const char *text, uint64_t *ret_size, struct error *err)
{
	static const char suffixes[] = "KMGT";
	const char *rest = text;
	const char *suffix;
	uint64_t value;
	uint64_t factor = 1;

	if (take_number(&rest, &value) < 0)
		goto refuse;
	if (*rest != '\0') {
		suffix = strchr(suffixes, *rest);
		if (!suffix || rest[1] != '\0')
			goto refuse;
		factor = UINT64_C(1) << (10 * (suffix - suffixes + 1));
	}
	if (checked_mul(value, factor, ret_size))
		goto refuse;
	return 0;
refuse:
	return error_set(err, ERROR_USAGE,
			 "'%s' is not a size: write a number of bytes, or one with K, M, G or T",
			 text);
}

int duration_parse(const char *text, uint64_t *ret_usec, struct error *err)
{
	static const struct {
		const char *suffix;
		uint64_t usec;
	} units[] = {
		{"ms", USEC_PER_MSEC},	    {"s", USEC_PER_SEC},	 {"m", 60 * USEC_PER_SEC},
		{"h", 3600 * USEC_PER_SEC}, {"d", 86400 * USEC_PER_SEC},
	};
	const char *rest = text;
	uint64_t value;

	if (take_number(&rest, &value) == 0) {
		for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
			if (strcmp(rest, units[i].suffix) == 0 &&
			    !checked_mul(value, units[i].usec, ret_usec))
				return 0;
		}
	}
	return error_set(err, ERROR_USAGE,
			 "'%s' is not a duration: write a number with ms, s, m, h or d", text);
}

void size_format(uint64_t size, char text[static SIZE_TEXT_SIZE])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)size;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < ARRAY_LENGTH(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT_SIZE, "%.*f %s",
		 unit == 0 || value >= 99.95 ? 0
		 : value >= 9.995	     ? 1
					     : 2,
		 value, units[unit]);
}

void time_format(uint64_t usec, char text[static TIME_TEXT_SIZE])
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	struct tm parts;
	size_t used;

	if (!gmtime_r(&seconds, &parts) || parts.tm_year > 9999 - 1900) {
		snprintf(text, TIME_TEXT_SIZE, "after the year 9999");
		return;
	}
	used = strftime(text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + used, TIME_TEXT_SIZE - used, ".%06uZ", (unsigned)(usec % USEC_PER_SEC));
}

/* Does @text begin with a digit for every 0 of @shape, and with its other bytes? strptime() alone
 * takes blanks, signs and short years for numbers. */
static bool has_shape(const char *text, const char *shape)
{
	for (; *shape; text++, shape++) {
		if (*shape == '0' ? !isdigit((unsigned char)*text) : *text != *shape)
			return false;
	}
	return true;
}

int time_parse(const char *text, uint64_t *ret_usec, struct error *err)
{
	struct tm parts = {0};
	struct tm again;
	uint64_t fraction = 0;
	const char *rest;
	time_t seconds;

	rest = has_shape(text, "0000-00-00") ? strptime(text, "%Y-%m-%d", &parts) : NULL;
	if (rest && (*rest == 'T' || *rest == ' '))
		rest = has_shape(rest + 1, "00:00:00") ? strptime(rest + 1, "%H:%M:%S", &parts)
						       : NULL;
	else if (rest && *rest != '\0')
		rest = NULL;
	if (rest && *rest == '.' && isdigit((unsigned char)rest[1])) {
		uint64_t digit_usec = USEC_PER_SEC / 10;

		for (rest++; isdigit((unsigned char)*rest); rest++, digit_usec /= 10)
			fraction += (uint64_t)(*rest - '0') * digit_usec;
	}
	if (rest && *rest == 'Z')
		rest++;
	if (!rest || *rest != '\0')
		goto refuse;
	again = parts;
	seconds = timegm(&again);
	/* timegm() makes the 30th of February a day in March; we do not. */
	if (seconds < 0 || again.tm_mday != parts.tm_mday || again.tm_sec != parts.tm_sec)
		goto refuse;
	*ret_usec = (uint64_t)seconds * USEC_PER_SEC + fraction;
	return 0;
refuse:
	return error_set(err, ERROR_USAGE,
			 "'%s' is not a time: write it in UTC, as 2026-08-23T03:21:06Z", text);
}
