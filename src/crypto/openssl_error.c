#include "crypto/openssl_error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

int openssl_error(struct error *err, int code, const char *format, ...)
{
	const char *separator = ": ";
	va_list arguments;
	unsigned long number;
	const char *data;
	int flags;

	err->code = code;
	err->saved_errno = 0;
	va_start(arguments, format);
	vsnprintf(err->message, sizeof(err->message), format, arguments);
	va_end(arguments);
	while ((number = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
		const char *reason = ERR_reason_error_string(number);
		bool has_data = (flags & ERR_TXT_STRING) && data && *data;
		size_t used = strlen(err->message);

		snprintf(err->message + used, sizeof(err->message) - used, "%s%s%s%s%s", separator,
			 reason ? reason : "unknown reason", has_data ? " (" : "",
			 has_data ? data : "", has_data ? ")" : "");
		separator = "; ";
	}
	return code;
}
