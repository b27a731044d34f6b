#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list arguments;

	err->code = code;
	err->saved_errno = 0;
	va_start(arguments, format);
	vsnprintf(err->message, sizeof(err->message), format, arguments);
	va_end(arguments);
	return code;
}

int error_set_errno(struct error *err, int code, int saved_errno, const char *format, ...)
{
	char reason[128];
	va_list arguments;
	size_t used;

	err->code = code;
	err->saved_errno = saved_errno;
	va_start(arguments, format);
	vsnprintf(err->message, sizeof(err->message), format, arguments);
	va_end(arguments);
	used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, ": %s",
		 strerror_r(saved_errno, reason, sizeof(reason)));
	return code;
}

int error_prefix(struct error *err, const char *format, ...)
{
	char sentence[ERROR_MESSAGE_SIZE];
	va_list arguments;
	size_t used;

	memcpy(sentence, err->message, sizeof(sentence));
	va_start(arguments, format);
	vsnprintf(err->message, sizeof(err->message), format, arguments);
	va_end(arguments);
	used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, ": %s", sentence);
	return err->code;
}

int error_exit_status(int code)
{
	switch (code) {
	case 0:
		return 0;
	case ERROR_USAGE:
		return 2;
	case ERROR_DEFECT:
		return 3;
	case ERROR_REFUSED:
		return 4;
	case ERROR_UNAVAILABLE:
	case ERROR_BUSY:
	case ERROR_NO_SPACE:
		return 5;
	default:
		return 1;
	}
}

void assert_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "binvault: internal error at %s:%d: %s does not hold\n", file, line,
		condition);
	abort();
}
