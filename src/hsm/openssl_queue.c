#include "hsm/openssl_queue.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

/* Library and reason only: the data that OpenSSL attaches may be anything, also what was read. */
int openssl_queue_error(struct error *err, int code, const char *format, ...)
{
	char sentence[ERROR_MESSAGE_SIZE / 2];
	char reasons[ERROR_MESSAGE_SIZE / 2] = "";
	unsigned long entry;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	while ((entry = ERR_get_error()) != 0) {
		const char *library = ERR_lib_error_string(entry);
		const char *reason = ERR_reason_error_string(entry);
		size_t used = strlen(reasons);

		snprintf(reasons + used, sizeof(reasons) - used, "%s%s: %s", used ? "; " : "",
			 library ? library : "unknown library", reason ? reason : "unknown reason");
	}
	return error_set(err, code, "%s%s%s", sentence, *reasons ? ": " : "", reasons);
}
