#include "hsm/token_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define SLOTS_MAX      256
#define MECHANISMS_MAX 1024
#define RSA_BITS       3072

/* Text that grows by "'name', 'name'" and says so when it was cut. */
struct name_list {
	char text[400];
	size_t used;
};

static void name_list_add(struct name_list *list, const char *name)
{
	size_t room = sizeof(list->text) - list->used;
	int count;

	if (room < 48) {
		if (room > 8 && list->text[list->used - 1] != '.')
			list->used += (size_t)snprintf(list->text + list->used, room, ", ...");
		return;
	}
	count = snprintf(list->text + list->used, room, "%s'%.40s'", list->used ? ", " : "", name);
	list->used += MIN((size_t)count, room - 1);
}

/* PKCS#11 pads with spaces (some modules with NULs) and does not end with a NUL. */
static void padded_text(const unsigned char *bytes, size_t size, char *text)
{
	while (size > 0 && (bytes[size - 1] == ' ' || bytes[size - 1] == '\0'))
		size--;
	memcpy(text, bytes, size);
	text[size] = '\0';
}

/* --- the module ------------------------------------------------------------------------------ */

static int module_load(struct token *token, struct error *err)
{
	CK_C_GetFunctionList get_function_list;
	CK_RV result;
	void *symbol;

	/* Never unmapped: modules leave threads and exit handlers behind, and the engine is about
	 * to load the same one. */
	token->library = dlopen(token->module, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!token->library)
		return error_set(err, ERROR_USAGE, "cannot load the PKCS#11 module '%s': %s",
				 token->module, dlerror());
	symbol = dlsym(token->library, "C_GetFunctionList");
	if (!symbol)
		return error_set(err, ERROR_USAGE,
				 "'%s' is a library but not a PKCS#11 module: it has no "
				 "C_GetFunctionList",
				 token->module);
	memcpy(&get_function_list, &symbol, sizeof(symbol));
	result = get_function_list(&token->functions);
	if (result != CKR_OK || !token->functions)
		return token_error(err, result, "PKCS#11 module '%s' gives no functions",
				   token->module);
	return 0;
}

static int module_initialize(struct token *token, struct error *err)
{
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
	CK_RV result = token->functions->C_Initialize(&arguments);

	/* A module without locks of its own says so; this process needs none. */
	if (result == CKR_CANT_LOCK)
		result = token->functions->C_Initialize(NULL);
	if (result != CKR_OK)
		return token_error(err, result, "PKCS#11 module '%s' does not start",
				   token->module);
	token->initialized = true;
	return 0;
}

/* --- the slot -------------------------------------------------------------------------------- */

struct slot_search {
	const struct token_options *options;
	size_t match_count;
	size_t blank_count; /* tokens that were never initialised */
	bool blank_match;   /* one of them has the serial that is asked for */
	struct name_list labels;
	struct name_list match_serials;
};

static void slot_consider(struct token *token, CK_SLOT_ID slot, const CK_TOKEN_INFO *info,
			  struct slot_search *search)
{
	const struct token_options *options = search->options;
	char label[TOKEN_LABEL_SIZE], serial[TOKEN_SERIAL_SIZE], text[TOKEN_LABEL_SIZE];

	padded_text(info->label, sizeof(info->label), label);
	padded_text(info->serialNumber, sizeof(info->serialNumber), serial);
	if (!(info->flags & CKF_TOKEN_INITIALIZED)) {
		search->blank_count++;
		if (options->serial && strcmp(options->serial, serial) == 0)
			search->blank_match = true;
		return;
	}
	token_text(label, strlen(label), text, sizeof(text));
	name_list_add(&search->labels, text);
	if ((options->label && strcmp(options->label, label) != 0) ||
	    (options->serial && strcmp(options->serial, serial) != 0))
		return;
	search->match_count++;
	token_text(serial, strlen(serial), text, sizeof(text));
	name_list_add(&search->match_serials, text);
	token->slot = slot;
	memcpy(token->label, label, sizeof(label));
	memcpy(token->serial, serial, sizeof(serial));
}

static int slot_verdict(const struct token *token, const struct slot_search *search,
			struct error *err)
{
	const struct token_options *options = search->options;
	const char *name = options->label ? options->label : options->serial;
	const char *noun = options->label ? "token" : "token with serial";

	if (search->match_count == 1)
		return 0;
	if (search->match_count > 1)
		return error_set(err, ERROR_USAGE,
				 "'%s' has %zu tokens with this name, %s '%s' (serials %s); say "
				 "which one with token-serial",
				 token->module, search->match_count, noun, name,
				 search->match_serials.text);
	if (search->blank_match)
		return error_set(
			err, ERROR_USAGE,
			"the token with serial '%s' is not initialised; initialise it with "
			"its maker's tool (SoftHSM: softhsm2-util --init-token)",
			options->serial);
	if (search->labels.used)
		return error_set(err, ERROR_UNAVAILABLE,
				 "no %s '%s'%s%s%s in '%s'; the tokens there are %s", noun, name,
				 options->label && options->serial ? " with serial '" : "",
				 options->label && options->serial ? options->serial : "",
				 options->label && options->serial ? "'" : "", token->module,
				 search->labels.text);
	if (search->blank_count)
		return error_set(err, ERROR_UNAVAILABLE,
				 "no %s '%s' in '%s': its token is not initialised; initialise it "
				 "with its maker's tool (SoftHSM: softhsm2-util --init-token)",
				 noun, name, token->module);
	return error_set(err, ERROR_UNAVAILABLE,
			 "no %s '%s': '%s' sees no token at all; is the HSM connected?", noun, name,
			 token->module);
}

static int slot_find(struct token *token, const struct token_options *options, struct error *err)
{
	struct slot_search search = {.options = options};
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	CK_TOKEN_INFO info;
	CK_RV result;

	result = token->functions->C_GetSlotList(CK_TRUE, slots, &count);
	if (result != CKR_OK)
		return token_error(err, result, "listing the tokens of '%s'", token->module);
	for (CK_ULONG i = 0; i < MIN(count, (CK_ULONG)SLOTS_MAX); i++) {
		result = token->functions->C_GetTokenInfo(slots[i], &info);
		if (result == CKR_OK)
			slot_consider(token, slots[i], &info, &search);
		/* Another's broken token is no reason not to use ours. */
	}
	return slot_verdict(token, &search, err);
}

/* --- the mechanisms -------------------------------------------------------------------------- */

struct mechanism {
	CK_MECHANISM_TYPE type;
	CK_FLAGS flag;
	unsigned rsa_bits; /* 0: not asked */
};

static bool mechanism_there(struct token *token, const struct mechanism *mechanism,
			    const CK_MECHANISM_TYPE *list, CK_ULONG count)
{
	CK_MECHANISM_INFO info;
	bool listed = false;

	for (CK_ULONG i = 0; i < count; i++)
		listed = listed || list[i] == mechanism->type;
	return listed &&
	       token->functions->C_GetMechanismInfo(token->slot, mechanism->type, &info) ==
		       CKR_OK &&
	       (info.flags & mechanism->flag) && info.ulMaxKeySize >= mechanism->rsa_bits;
}

static int mechanisms_check(struct token *token, struct error *err)
{
	static const struct {
		const char *name;
		struct mechanism any[2]; /* one of them is enough */
	} needed[] = {
		{"CKM_RSA_PKCS_KEY_PAIR_GEN (3072 bits)",
		 {{CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, RSA_BITS}}},
		{"CKM_RSA_PKCS_OAEP or CKM_RSA_X_509 (decrypt)",
		 {{CKM_RSA_PKCS_OAEP, CKF_DECRYPT, RSA_BITS},
		  {CKM_RSA_X_509, CKF_DECRYPT, RSA_BITS}}},
		{"CKM_EC_KEY_PAIR_GEN", {{CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, 0}}},
		{"CKM_ECDSA (sign)", {{CKM_ECDSA, CKF_SIGN, 0}}},
	};
	CK_MECHANISM_TYPE list[MECHANISMS_MAX];
	CK_ULONG count = MECHANISMS_MAX;
	struct name_list missing = {0};
	CK_RV result;

	result = token->functions->C_GetMechanismList(token->slot, list, &count);
	if (result != CKR_OK)
		return token_error(err, result, "listing the mechanisms of token '%s'",
				   token->label);
	count = MIN(count, (CK_ULONG)MECHANISMS_MAX);
	for (size_t i = 0; i < ARRAY_LENGTH(needed); i++) {
		bool there = mechanism_there(token, &needed[i].any[0], list, count);

		if (!there && needed[i].any[1].flag)
			there = mechanism_there(token, &needed[i].any[1], list, count);
		if (!there)
			name_list_add(&missing, needed[i].name);
	}
	if (missing.used)
		return error_set(err, ERROR_USAGE, "token '%s' lacks the mechanisms %s",
				 token->label, missing.text);
	return 0;
}

/* --- open and free --------------------------------------------------------------------------- */

int token_start(const char *module, struct token **ret_token, struct error *err)
{
	CLEANUP(token_freep)
	struct token *token = calloc(1, sizeof(*token));

	if (token)
		token->module = strdup(module);
	if (!token || !token->module)
		return error_set(err, ERROR_FAILED, "out of memory");
	if (module_load(token, err) < 0 || module_initialize(token, err) < 0)
		return err->code;
	*ret_token = TAKE(token);
	return 0;
}

static int token_open_steps(struct token *token, const struct token_options *options,
			    struct error *err)
{
	CK_RV result;
	int status;

	status = slot_find(token, options, err);
	if (status < 0)
		return status;
	status = mechanisms_check(token, err);
	if (status < 0)
		return status;
	result = token->functions->C_OpenSession(token->slot, CKF_SERIAL_SESSION, NULL, NULL,
						 &token->session);
	if (result != CKR_OK)
		return token_error(err, result, "opening a session on token '%s'", token->label);
	token->session_open = true;
	return 0;
}

int token_open(const struct token_options *options, struct token **ret_token, struct error *err)
{
	CLEANUP(token_freep)
	struct token *token = NULL;
	int status;

	if (!options->module || !*options->module)
		return error_set(err, ERROR_USAGE, "no PKCS#11 module is configured");
	if (!options->label && !options->serial)
		return error_set(err, ERROR_USAGE,
				 "which token is not configured: set token-label or token-serial");
	status = token_start(options->module, &token, err);
	if (status < 0)
		return status;
	status = token_open_steps(token, options, err);
	if (status < 0)
		return status;
	*ret_token = TAKE(token);
	return 0;
}

void token_free(struct token *token)
{
	if (!token)
		return;
	/* What fails here cannot be helped: the session ends with the process at the latest. */
	if (token->logged_in)
		token->functions->C_Logout(token->session);
	if (token->session_open)
		token->functions->C_CloseSession(token->session);
	if (token->initialized)
		token->functions->C_Finalize(NULL);
	if (token->library)
		dlclose(token->library);
	free(token->module);
	free(token);
}

const char *token_label(const struct token *token)
{
	return token->label;
}

const char *token_serial(const struct token *token)
{
	return token->serial;
}

/* --- login ----------------------------------------------------------------------------------- */

static int token_info(struct token *token, CK_TOKEN_INFO *ret_info, struct error *err)
{
	CK_RV result = token->functions->C_GetTokenInfo(token->slot, ret_info);

	if (result != CKR_OK)
		return token_error(err, result, "asking token '%s' for its state", token->label);
	return 0;
}

int token_pin_state(struct token *token, enum token_pin_state *ret_state, struct error *err)
{
	CK_TOKEN_INFO info;
	int status;

	status = token_info(token, &info, err);
	if (status < 0)
		return status;
	if (info.flags & CKF_USER_PIN_LOCKED)
		*ret_state = TOKEN_PIN_LOCKED;
	else if (info.flags & CKF_USER_PIN_FINAL_TRY)
		*ret_state = TOKEN_PIN_FINAL_TRY;
	else if (info.flags & CKF_USER_PIN_COUNT_LOW)
		*ret_state = TOKEN_PIN_COUNT_LOW;
	else
		*ret_state = TOKEN_PIN_CLEAR;
	return 0;
}

static int login_locked(const struct token *token, struct error *err)
{
	return error_set(err, ERROR_USAGE,
			 "the PIN of token '%s' is locked after too many wrong ones; the token's "
			 "security officer must unlock it",
			 token->label);
}

static int login_bad_length(const struct token *token, struct error *err)
{
	return error_set(err, ERROR_USAGE,
			 "the configured PIN is of a length that token '%s' does not take; is it "
			 "the PIN of another token?",
			 token->label);
}

/* What can be known without spending a try. */
static int login_check(struct token *token, const struct secret *pin, struct error *err)
{
	CK_TOKEN_INFO info;
	int status;

	status = token_info(token, &info, err);
	if (status < 0)
		return status;
	if (!(info.flags & CKF_USER_PIN_INITIALIZED))
		return error_set(
			err, ERROR_USAGE,
			"token '%s' has no user PIN yet; its security officer must set one",
			token->label);
	if (info.flags & CKF_USER_PIN_LOCKED)
		return login_locked(token, err);
	/* 0 and CK_UNAVAILABLE_INFORMATION: the token does not say. */
	if ((info.ulMaxPinLen != 0 && pin->size > info.ulMaxPinLen) ||
	    (info.ulMinPinLen != CK_UNAVAILABLE_INFORMATION && pin->size < info.ulMinPinLen))
		return login_bad_length(token, err);
	return 0;
}

static int login_refused(struct token *token, struct error *err)
{
	token->pin_refused = true;
	return error_set(err, ERROR_REFUSED,
			 "token '%s' says that the PIN is wrong; it is not tried again, as every "
			 "wrong PIN counts towards locking the token: correct the PIN",
			 token->label);
}

int token_login(struct token *token, const struct secret *pin, struct error *err)
{
	CK_RV result;
	int status;

	if (token->logged_in)
		return 0;
	if (token->pin_refused)
		return login_refused(token, err);
	status = login_check(token, pin, err);
	if (status < 0)
		return status;
	result = token->functions->C_Login(token->session, CKU_USER, pin->bytes, pin->size);
	switch (result) {
	case CKR_OK:
		token->logged_in = true;
		return 0;
	case CKR_PIN_INCORRECT:
		return login_refused(token, err);
	case CKR_PIN_LOCKED:
		return login_locked(token, err);
	case CKR_PIN_LEN_RANGE:
	case CKR_PIN_INVALID:
		return login_bad_length(token, err);
	case CKR_PIN_EXPIRED:
		return error_set(err, ERROR_USAGE,
				 "the PIN of token '%s' has expired; set a new one", token->label);
	default:
		return token_error(err, result, "logging in to token '%s'", token->label);
	}
}

int token_random(struct token *token, void *ret_bytes, size_t size, struct error *err)
{
	CK_RV result = token->functions->C_GenerateRandom(token->session, ret_bytes, size);

	if (result != CKR_OK)
		return token_error(err, result, "random bytes from token '%s'", token->label);
	return 0;
}
