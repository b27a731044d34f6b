#include "hsm/token_internal.h"

#include <string.h>

#include "base/checked.h"

#define SLOTS_MAX 256

/* The first token that was never initialised. */
static int find_blank(struct token *token, struct error *err)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	CK_TOKEN_INFO info;
	CK_RV result = token->functions->C_GetSlotList(CK_TRUE, slots, &count);

	if (result != CKR_OK)
		return token_error(err, result, "listing the tokens of '%s'", token->module);
	for (CK_ULONG i = 0; i < MIN(count, (CK_ULONG)SLOTS_MAX); i++) {
		result = token->functions->C_GetTokenInfo(slots[i], &info);
		if (result == CKR_OK && !(info.flags & CKF_TOKEN_INITIALIZED)) {
			token->slot = slots[i];
			return 0;
		}
	}
	return error_set(
		err, ERROR_NOT_FOUND,
		"'%s' has no token that was never initialised; one that holds keys is left "
		"as it is",
		token->module);
}

/* PKCS#11 takes the PIN as bytes that it might change; the label is padded with blanks. */
static int set_pins(struct token *token, const char *label, const struct secret *pin,
		    struct error *err)
{
	CK_FUNCTION_LIST *functions = token->functions;
	CK_UTF8CHAR padded[TOKEN_LABEL_SIZE - 1];
	CK_RV result;

	memset(padded, ' ', sizeof(padded));
	memcpy(padded, label, strlen(label));
	result = functions->C_InitToken(token->slot, pin->bytes, pin->size, padded);
	if (result != CKR_OK)
		return token_error(err, result, "initialising token '%s'", label);
	result = functions->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
					  NULL, &token->session);
	if (result != CKR_OK)
		return token_error(err, result, "opening a session on token '%s'", label);
	token->session_open = true;
	result = functions->C_Login(token->session, CKU_SO, pin->bytes, pin->size);
	if (result != CKR_OK)
		return token_error(err, result, "logging in to the new token '%s'", label);
	token->logged_in = true;
	result = functions->C_InitPIN(token->session, pin->bytes, pin->size);
	return result == CKR_OK
		       ? 0
		       : token_error(err, result, "setting the PIN of the new token '%s'", label);
}

int token_initialize(const char *module, const char *label, const struct secret *pin,
		     struct error *err)
{
	CLEANUP(token_freep)
	struct token *token = NULL;

	if (!*label || strlen(label) >= TOKEN_LABEL_SIZE)
		return error_set(err, ERROR_USAGE, "a token's label has 1 to %d bytes",
				 TOKEN_LABEL_SIZE - 1);
	if (token_start(module, &token, err) < 0 || find_blank(token, err) < 0)
		return err->code;
	return set_pins(token, label, pin, err);
}
