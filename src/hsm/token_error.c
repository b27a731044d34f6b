#include "hsm/token_internal.h"

#include <stdio.h>

#include "base/checked.h"

struct result_name {
	CK_RV result;
	bool away; /* the token is gone or cannot be reached: not about what was asked */
	const char *name;
};

#define RESULT(name)                                                                               \
	{                                                                                          \
		name, false, #name                                                                 \
	}
#define RESULT_AWAY(name)                                                                          \
	{                                                                                          \
		name, true, #name                                                                  \
	}

static const struct result_name result_names[] = {
	RESULT(CKR_HOST_MEMORY),
	RESULT(CKR_SLOT_ID_INVALID),
	RESULT(CKR_GENERAL_ERROR),
	RESULT(CKR_FUNCTION_FAILED),
	RESULT(CKR_ARGUMENTS_BAD),
	RESULT(CKR_CANT_LOCK),
	RESULT(CKR_ATTRIBUTE_READ_ONLY),
	RESULT(CKR_ATTRIBUTE_SENSITIVE),
	RESULT(CKR_ATTRIBUTE_TYPE_INVALID),
	RESULT(CKR_ATTRIBUTE_VALUE_INVALID),
	RESULT(CKR_ACTION_PROHIBITED),
	RESULT_AWAY(CKR_DEVICE_ERROR),
	RESULT(CKR_DEVICE_MEMORY),
	RESULT_AWAY(CKR_DEVICE_REMOVED),
	RESULT(CKR_FUNCTION_NOT_SUPPORTED),
	RESULT(CKR_KEY_HANDLE_INVALID),
	RESULT(CKR_KEY_SIZE_RANGE),
	RESULT(CKR_MECHANISM_INVALID),
	RESULT(CKR_MECHANISM_PARAM_INVALID),
	RESULT_AWAY(CKR_OBJECT_HANDLE_INVALID),
	RESULT(CKR_PIN_INCORRECT),
	RESULT(CKR_PIN_INVALID),
	RESULT(CKR_PIN_LEN_RANGE),
	RESULT(CKR_PIN_EXPIRED),
	RESULT(CKR_PIN_LOCKED),
	RESULT_AWAY(CKR_SESSION_CLOSED),
	RESULT_AWAY(CKR_SESSION_COUNT),
	RESULT_AWAY(CKR_SESSION_HANDLE_INVALID),
	RESULT(CKR_SESSION_READ_ONLY),
	RESULT(CKR_TEMPLATE_INCOMPLETE),
	RESULT(CKR_TEMPLATE_INCONSISTENT),
	RESULT_AWAY(CKR_TOKEN_NOT_PRESENT),
	RESULT_AWAY(CKR_TOKEN_NOT_RECOGNIZED),
	RESULT(CKR_TOKEN_WRITE_PROTECTED),
	RESULT(CKR_USER_ALREADY_LOGGED_IN),
	RESULT(CKR_USER_NOT_LOGGED_IN),
	RESULT(CKR_USER_PIN_NOT_INITIALIZED),
	RESULT(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
	RESULT(CKR_RANDOM_NO_RNG),
	RESULT(CKR_CURVE_NOT_SUPPORTED),
	RESULT(CKR_BUFFER_TOO_SMALL),
	RESULT(CKR_CRYPTOKI_NOT_INITIALIZED),
	RESULT(CKR_CRYPTOKI_ALREADY_INITIALIZED),
};

int token_error(struct error *err, CK_RV result, const char *format, ...)
{
	const struct result_name *known = NULL;
	char sentence[ERROR_MESSAGE_SIZE - 64];
	char number[32];
	va_list arguments;

	for (size_t i = 0; i < ARRAY_LENGTH(result_names) && !known; i++)
		if (result_names[i].result == result)
			known = &result_names[i];
	snprintf(number, sizeof(number), "PKCS#11 error 0x%08lx", result);
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return error_set(err, known && known->away ? ERROR_UNAVAILABLE : ERROR_FAILED, "%s: %s",
			 sentence, known ? known->name : number);
}

void token_text(const void *bytes, size_t size, char *text, size_t text_size)
{
	const unsigned char *from = bytes;
	size_t count = MIN(size, text_size - 1);

	for (size_t i = 0; i < count; i++)
		text[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
	text[count] = '\0';
}
