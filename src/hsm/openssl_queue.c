#include "hsm/openssl_queue.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

/* Library and reason only: the data that OpenSSL attaches may be anything, also what was read. */
bool openssl_queue_drain(char text[static OPENSSL_QUEUE_TEXT_SIZE], const char *library,
			 unsigned long reason)
{
	bool found = false;
	unsigned long entry;

	text[0] = '\0';
	while ((entry = ERR_get_error()) != 0) {
		const char *entry_library = ERR_lib_error_string(entry);
		const char *entry_reason = ERR_reason_error_string(entry);
		size_t used = strlen(text);

		if (library && entry_library && strcmp(entry_library, library) == 0 &&
		    (unsigned long)ERR_GET_REASON(entry) == reason)
			found = true;
		snprintf(text + used, OPENSSL_QUEUE_TEXT_SIZE - used, "%s%s: %s", used ? "; " : "",
			 entry_library ? entry_library : "unknown library",
			 entry_reason ? entry_reason : "unknown reason");
	}
	return found;
}

int openssl_queue_error(struct error *err, int code, const char *format, ...)
{
	char sentence[ERROR_MESSAGE_SIZE - OPENSSL_QUEUE_TEXT_SIZE - 4];
	char reasons[OPENSSL_QUEUE_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	openssl_queue_drain(reasons, NULL, 0);
	return error_set(err, code, "%s%s%s", sentence, *reasons ? ": " : "", reasons);
}
