#include "selftest/tap.h"

#include <stdarg.h>
#include <stdio.h>

static int result_count, failure_count;

void tap_result(bool passed, const char *name, const char *found, ...)
{
	va_list arguments;

	printf("%sok %d - %s", passed ? "" : "not ", ++result_count, name);
	if (!passed) {
		failure_count++;
		printf(": ");
		va_start(arguments, found);
		vprintf(found, arguments);
		va_end(arguments);
	}
	printf("\n");
}

void tap_skip(const char *name, const char *reason)
{
	printf("ok %d - %s # SKIP %s\n", ++result_count, name, reason);
}

void tap_comment(const char *format, ...)
{
	va_list arguments;

	printf("# ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

int tap_end(void)
{
	printf("1..%d\n", result_count);
	if (failure_count > 0)
		printf("SELFTEST FAILED %d of %d\n", failure_count, result_count);
	else
		printf("SELFTEST PASSED %d\n", result_count);
	return failure_count > 0;
}
