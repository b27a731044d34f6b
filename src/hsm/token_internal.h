/* What the files of token.h share: struct token, its start, and PKCS#11 results as sentences. */
#pragma once

#include <stdbool.h>

#include <p11-kit/pkcs11.h>

#include "hsm/token.h"

struct token {
	void *library;		     /* dlopen */
	CK_FUNCTION_LIST *functions; /* the module's */
	bool initialized;	     /* by us, so finalised by us */
	bool session_open;
	bool logged_in;
	bool pin_refused;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session; /* read only */
	char *module;
	char label[TOKEN_LABEL_SIZE];
	char serial[TOKEN_SERIAL_SIZE];
};

/* A token whose module is loaded and initialised, and nothing else. */
int token_start(const char *module, struct token **ret_token, struct error *err) MUST_CHECK;

/*
 * The sentence, then ": " and the name of @result. ERROR_UNAVAILABLE if the result says that the
 * token or the way to it is gone, ERROR_FAILED otherwise.
 */
int token_error(struct error *err, CK_RV result, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

/* A label for a sentence: what is not printable ASCII becomes '?'. */
void token_text(const void *bytes, size_t size, char *text, size_t text_size);
