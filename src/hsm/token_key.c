#include "hsm/token_internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/checked.h"
#include "hsm/token_public.h"

/* Not in the header of p11-kit 0.24; PKCS#11 3.0, section 6.3. */
#ifndef CKK_EC_MONTGOMERY
#define CKK_EC_MONTGOMERY 0x41UL
#endif

#define KEY_ID_SIZE	16
#define KEY_ID_MAX	256
#define RSA_BITS	3072
#define PUBLIC_EXPONENT 1, 0, 1

/* OBJECT IDENTIFIER prime256v1, as CKA_EC_PARAMS has it. */
static const uint8_t p256_oid[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

/* One attribute with room for its value. */
struct value {
	uint8_t bytes[TOKEN_RSA_MODULUS_MAX + 8];
	size_t size;
};

struct halves {
	CK_OBJECT_HANDLE private_key, public_key;
	size_t private_count, public_count;
};

/* --- objects and attributes ------------------------------------------------------------------ */

static int find_objects(struct token *token, CK_ATTRIBUTE *template, CK_ULONG template_count,
			CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *ret_count,
			struct error *err)
{
	CK_FUNCTION_LIST *functions = token->functions;
	CK_ULONG count = 1, total = 0;
	CK_RV result;

	result = functions->C_FindObjectsInit(token->session, template, template_count);
	if (result != CKR_OK)
		return token_error(err, result, "searching token '%s'", token->label);
	/* Some modules give fewer than asked for although there are more: until there is none. */
	while (result == CKR_OK && count > 0 && total < max) {
		result = functions->C_FindObjects(token->session, objects + total, max - total,
						  &count);
		total += result == CKR_OK ? count : 0;
	}
	functions->C_FindObjectsFinal(token->session);
	if (result != CKR_OK)
		return token_error(err, result, "searching token '%s'", token->label);
	*ret_count = total;
	return 0;
}

/* 1: read. 0: the object has no such attribute, or does not show it. */
static int read_attribute(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
			  struct value *ret_value, struct error *err)
{
	CK_ATTRIBUTE attribute = {type, ret_value->bytes, sizeof(ret_value->bytes)};
	CK_RV result;

	result = token->functions->C_GetAttributeValue(token->session, object, &attribute, 1);
	if (result == CKR_ATTRIBUTE_TYPE_INVALID || result == CKR_ATTRIBUTE_SENSITIVE ||
	    (result == CKR_OK && attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION))
		return 0;
	if (result != CKR_OK)
		return token_error(err, result, "reading attribute 0x%lx of a key on token '%s'",
				   type, token->label);
	if (attribute.ulValueLen > sizeof(ret_value->bytes))
		return error_set(err, ERROR_FAILED,
				 "token '%s' gives attribute 0x%lx with %lu bytes, more than there "
				 "is room for",
				 token->label, type, attribute.ulValueLen);
	ret_value->size = attribute.ulValueLen;
	return 1;
}

static int read_number(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
		       CK_ULONG *ret_number, struct error *err)
{
	struct value value;
	int status;

	status = read_attribute(token, object, type, &value, err);
	if (status <= 0)
		return status;
	if (value.size != sizeof(*ret_number))
		return error_set(err, ERROR_FAILED,
				 "token '%s' gives attribute 0x%lx with %zu bytes, not %zu",
				 token->label, type, value.size, sizeof(*ret_number));
	memcpy(ret_number, value.bytes, sizeof(*ret_number));
	return 1;
}

/* --- key types that make the engine give up -------------------------------------------------- */

static const char *key_type_name(CK_KEY_TYPE type)
{
	switch (type) {
	case CKK_EC_EDWARDS:
		return "Edwards";
	case CKK_EC_MONTGOMERY:
		return "Montgomery";
	case CKK_DSA:
		return "DSA";
	case CKK_DH:
		return "DH";
	default:
		return "neither RSA nor EC";
	}
}

static int refuse_key(struct token *token, CK_OBJECT_HANDLE object, CK_KEY_TYPE type,
		      struct error *err)
{
	char label[TOKEN_KEY_LABEL_SIZE];
	struct value value;
	int status;

	status = read_attribute(token, object, CKA_LABEL, &value, err);
	if (status < 0)
		return status;
	token_text(value.bytes, status ? value.size : 0, label, sizeof(label));
	return error_set(err, ERROR_USAGE,
			 "token '%s' holds the key '%s' of a type (%s) with which OpenSSL's pkcs11 "
			 "engine cannot load any key of the token; move that key to another token "
			 "or partition",
			 token->label, label, key_type_name(type));
}

/* A token may hold thousands of keys: each is looked at as it is found, none is kept. */
static int check_class(struct token *token, CK_OBJECT_CLASS class, struct error *err)
{
	CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof(class)};
	CK_FUNCTION_LIST *functions = token->functions;
	CK_OBJECT_HANDLE object;
	CK_ULONG count = 1;
	CK_KEY_TYPE type = CKK_RSA;
	CK_RV result;
	int status = 1;

	result = functions->C_FindObjectsInit(token->session, &template, 1);
	if (result != CKR_OK)
		return token_error(err, result, "listing the keys of token '%s'", token->label);
	while (status > 0 && (type == CKK_RSA || type == CKK_EC)) {
		result = functions->C_FindObjects(token->session, &object, 1, &count);
		if (result != CKR_OK || count == 0)
			break;
		status = read_number(token, object, CKA_KEY_TYPE, &type, err);
	}
	functions->C_FindObjectsFinal(token->session);
	if (result != CKR_OK)
		return token_error(err, result, "listing the keys of token '%s'", token->label);
	if (status < 0)
		return status;
	if (count == 0)
		return 0;
	/* status 0: a key that does not tell its type is none of ours either. */
	return refuse_key(token, object, status ? type : CK_UNAVAILABLE_INFORMATION, err);
}

int token_check_keys(struct token *token, struct error *err)
{
	int status;

	ASSERT(token->logged_in);
	status = check_class(token, CKO_PRIVATE_KEY, err);
	if (status < 0)
		return status;
	return check_class(token, CKO_PUBLIC_KEY, err);
}

/* --- finding a pair -------------------------------------------------------------------------- */

static int find_half(struct token *token, CK_OBJECT_CLASS class, const char *label,
		     CK_OBJECT_HANDLE *ret_object, size_t *ret_count, struct error *err)
{
	char text[TOKEN_KEY_LABEL_SIZE];
	CK_OBJECT_HANDLE objects[2];
	CK_ULONG count = 0;
	int status;

	ASSERT(strlen(label) < sizeof(text));
	snprintf(text, sizeof(text), "%s", label);
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_LABEL, text, strlen(text)},
	};
	status = find_objects(token, template, ARRAY_LENGTH(template), objects,
			      ARRAY_LENGTH(objects), &count, err);
	if (status < 0)
		return status;
	*ret_object = count ? objects[0] : CK_INVALID_HANDLE;
	*ret_count = count;
	return 0;
}

static int find_halves(struct token *token, const char *label, struct halves *ret_halves,
		       struct error *err)
{
	int status;

	ASSERT(token->logged_in);
	status = find_half(token, CKO_PRIVATE_KEY, label, &ret_halves->private_key,
			   &ret_halves->private_count, err);
	if (status < 0)
		return status;
	status = find_half(token, CKO_PUBLIC_KEY, label, &ret_halves->public_key,
			   &ret_halves->public_count, err);
	if (status < 0)
		return status;
	if (ret_halves->private_count > 1 || ret_halves->public_count > 1)
		return error_set(
			err, ERROR_FAILED,
			"token '%s' holds several %s keys with the label '%s'; which one is "
			"meant cannot be told: remove or rename the others",
			token->label, ret_halves->private_count > 1 ? "private" : "public", label);
	return 0;
}

static int half_missing(const struct token *token, const char *label, bool private_is_there,
			struct error *err)
{
	return error_set(
		err, ERROR_FAILED,
		"token '%s' holds only the %s half of the key pair '%s'; an initialisation "
		"was cut short, or somebody removed the other half. If no archive uses it, "
		"remove it (pkcs11-tool --login --delete-object --type %s --label '%s') and "
		"run `binvault init` again",
		token->label, private_is_there ? "private" : "public", label,
		private_is_there ? "privkey" : "pubkey", label);
}

/* --- what a pair must be --------------------------------------------------------------------- */

struct expectation {
	CK_ATTRIBUTE_TYPE type;
	CK_BBOOL value;
	const char *otherwise;
};

static int check_private(struct token *token, enum token_key_kind kind, CK_OBJECT_HANDLE object,
			 const char *label, struct error *err)
{
	const struct expectation expectations[] = {
		{CKA_SENSITIVE, CK_TRUE, "is not marked sensitive"},
		{CKA_EXTRACTABLE, CK_FALSE, "can be extracted"},
		{kind == TOKEN_KEY_UNWRAP ? CKA_DECRYPT : CKA_SIGN, CK_TRUE,
		 kind == TOKEN_KEY_UNWRAP ? "may not decrypt" : "may not sign"},
	};
	CK_KEY_TYPE wanted = kind == TOKEN_KEY_UNWRAP ? CKK_RSA : CKK_EC;
	CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION; /* 0 would be CKK_RSA */
	struct value value;
	int status;

	status = read_number(token, object, CKA_KEY_TYPE, &type, err);
	if (status < 0)
		return status;
	if (type != wanted)
		return error_set(err, ERROR_FAILED, "key '%s' on token '%s' is not %s", label,
				 token->label,
				 kind == TOKEN_KEY_UNWRAP ? "an RSA key" : "an elliptic curve key");
	for (size_t i = 0; i < ARRAY_LENGTH(expectations); i++) {
		status = read_attribute(token, object, expectations[i].type, &value, err);
		if (status < 0)
			return status;
		if (status == 0 || value.size != 1 || !value.bytes[0] != !expectations[i].value)
			return error_set(err, ERROR_FAILED,
					 "private key '%s' on token '%s' %s; it must not be used",
					 label, token->label, expectations[i].otherwise);
	}
	return 0;
}

/* The engine pairs the halves by CKA_ID. */
static int check_ids(struct token *token, const struct halves *halves, const char *label,
		     struct error *err)
{
	struct value private_id, public_id;
	int status;

	status = read_attribute(token, halves->private_key, CKA_ID, &private_id, err);
	if (status < 0)
		return status;
	if (status == 0 || private_id.size == 0)
		return error_set(err, ERROR_FAILED, "private key '%s' on token '%s' has no CKA_ID",
				 label, token->label);
	status = read_attribute(token, halves->public_key, CKA_ID, &public_id, err);
	if (status < 0)
		return status;
	if (status == 0 || public_id.size != private_id.size ||
	    memcmp(public_id.bytes, private_id.bytes, public_id.size) != 0)
		return error_set(err, ERROR_FAILED,
				 "the public and the private key '%s' on token '%s' have different "
				 "CKA_IDs: they are not one pair",
				 label, token->label);
	return 0;
}

static int read_rsa(struct token *token, const struct halves *halves, const char *label,
		    struct token_public_key *ret_key, struct error *err)
{
	struct value modulus, exponent, private_modulus;
	int status;

	status = read_attribute(token, halves->public_key, CKA_MODULUS, &modulus, err);
	if (status > 0)
		status = read_attribute(token, halves->public_key, CKA_PUBLIC_EXPONENT, &exponent,
					err);
	if (status < 0)
		return status;
	if (status == 0)
		return error_set(err, ERROR_FAILED, "public key '%s' on token '%s' is not RSA",
				 label, token->label);
	status = read_attribute(token, halves->private_key, CKA_MODULUS, &private_modulus, err);
	if (status < 0)
		return status;
	if (status > 0 && (private_modulus.size != modulus.size ||
			   memcmp(private_modulus.bytes, modulus.bytes, modulus.size) != 0))
		return error_set(err, ERROR_FAILED,
				 "the public and the private key '%s' on token '%s' have different "
				 "moduli: they are not one pair",
				 label, token->label);
	return token_public_rsa(modulus.bytes, modulus.size, exponent.bytes, exponent.size, ret_key,
				err);
}

static int read_ec(struct token *token, const struct halves *halves, const char *label,
		   struct token_public_key *ret_key, struct error *err)
{
	struct value parameters, point;
	int status;

	status = read_attribute(token, halves->public_key, CKA_EC_PARAMS, &parameters, err);
	if (status > 0)
		status = read_attribute(token, halves->public_key, CKA_EC_POINT, &point, err);
	if (status < 0)
		return status;
	if (status == 0 || parameters.size != sizeof(p256_oid) ||
	    memcmp(parameters.bytes, p256_oid, sizeof(p256_oid)) != 0)
		return error_set(err, ERROR_FAILED,
				 "public key '%s' on token '%s' is not on the curve P-256", label,
				 token->label);
	return token_public_ec(point.bytes, point.size, ret_key, err);
}

static int read_pair(struct token *token, enum token_key_kind kind, const struct halves *halves,
		     const char *label, struct token_public_key *ret_key, struct error *err)
{
	int status;

	status = check_private(token, kind, halves->private_key, label, err);
	if (status < 0)
		return status;
	status = check_ids(token, halves, label, err);
	if (status < 0)
		return status;
	if (kind == TOKEN_KEY_UNWRAP)
		status = read_rsa(token, halves, label, ret_key, err);
	else
		status = read_ec(token, halves, label, ret_key, err);
	if (status < 0)
		return error_prefix(err, "key '%s' on token '%s'", label, token->label);
	return 0;
}

int token_key_find(struct token *token, enum token_key_kind kind, const char *label,
		   struct token_public_key *ret_key, struct error *err)
{
	struct halves halves;
	int status;

	status = find_halves(token, label, &halves, err);
	if (status < 0)
		return status;
	if (!halves.private_count && !halves.public_count)
		return error_set(err, ERROR_NOT_FOUND, "token '%s' holds no key pair '%s'",
				 token->label, label);
	if (!halves.private_count || !halves.public_count)
		return half_missing(token, label, halves.private_count > 0, err);
	return read_pair(token, kind, &halves, label, ret_key, err);
}

/* --- making what is missing ------------------------------------------------------------------ */

static int open_writing(struct token *token, CK_SESSION_HANDLE *ret_session, struct error *err)
{
	CK_RV result;

	result = token->functions->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
						 NULL, NULL, ret_session);
	if (result == CKR_TOKEN_WRITE_PROTECTED)
		return error_set(err, ERROR_USAGE,
				 "token '%s' is write protected: no key can be made in it",
				 token->label);
	if (result != CKR_OK)
		return token_error(err, result, "opening a writing session on token '%s'",
				   token->label);
	return 0;
}

static CK_RV generate_rsa(struct token *token, CK_SESSION_HANDLE session, char *label, uint8_t *id)
{
	CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG bits = RSA_BITS;
	uint8_t exponent[] = {PUBLIC_EXPONENT};
	CK_ATTRIBUTE public_template[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &no, sizeof(no)},
		{CKA_LABEL, label, strlen(label)},
		{CKA_ID, id, KEY_ID_SIZE},
		{CKA_MODULUS_BITS, &bits, sizeof(bits)},
		{CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)},
		{CKA_ENCRYPT, &yes, sizeof(yes)},
		{CKA_VERIFY, &no, sizeof(no)},
		{CKA_WRAP, &no, sizeof(no)},
	};
	CK_ATTRIBUTE private_template[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},	    {CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_LABEL, label, strlen(label)},  {CKA_ID, id, KEY_ID_SIZE},
		{CKA_SENSITIVE, &yes, sizeof(yes)}, {CKA_EXTRACTABLE, &no, sizeof(no)},
		{CKA_DECRYPT, &yes, sizeof(yes)},   {CKA_SIGN, &no, sizeof(no)},
		{CKA_UNWRAP, &no, sizeof(no)},
	};
	CK_OBJECT_HANDLE public_key, private_key;

	return token->functions->C_GenerateKeyPair(
		session, &mechanism, public_template, ARRAY_LENGTH(public_template),
		private_template, ARRAY_LENGTH(private_template), &public_key, &private_key);
}

static CK_RV generate_ec(struct token *token, CK_SESSION_HANDLE session, char *label, uint8_t *id)
{
	CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	uint8_t parameters[sizeof(p256_oid)];
	CK_ATTRIBUTE public_template[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &no, sizeof(no)},
		{CKA_LABEL, label, strlen(label)},
		{CKA_ID, id, KEY_ID_SIZE},
		{CKA_EC_PARAMS, parameters, sizeof(parameters)},
		{CKA_VERIFY, &yes, sizeof(yes)},
	};
	CK_ATTRIBUTE private_template[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},	    {CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_LABEL, label, strlen(label)},  {CKA_ID, id, KEY_ID_SIZE},
		{CKA_SENSITIVE, &yes, sizeof(yes)}, {CKA_EXTRACTABLE, &no, sizeof(no)},
		{CKA_SIGN, &yes, sizeof(yes)},	    {CKA_DERIVE, &no, sizeof(no)},
	};
	CK_OBJECT_HANDLE public_key, private_key;

	memcpy(parameters, p256_oid, sizeof(p256_oid));
	return token->functions->C_GenerateKeyPair(
		session, &mechanism, public_template, ARRAY_LENGTH(public_template),
		private_template, ARRAY_LENGTH(private_template), &public_key, &private_key);
}

static int generate_pair(struct token *token, enum token_key_kind kind, const char *label,
			 struct error *err)
{
	char text[TOKEN_KEY_LABEL_SIZE];
	uint8_t id[KEY_ID_SIZE];
	CK_SESSION_HANDLE session;
	CK_RV result;
	int status;

	if (RAND_bytes(id, sizeof(id)) != 1)
		return error_set(err, ERROR_FAILED, "no random bytes for the id of a key");
	snprintf(text, sizeof(text), "%s", label); /* fits: asserted in find_half() */
	status = open_writing(token, &session, err);
	if (status < 0)
		return status;
	if (kind == TOKEN_KEY_UNWRAP)
		result = generate_rsa(token, session, text, id);
	else
		result = generate_ec(token, session, text, id);
	token->functions->C_CloseSession(session);
	if (result != CKR_OK)
		return token_error(err, result, "making the %s key pair '%s' in token '%s'",
				   kind == TOKEN_KEY_UNWRAP ? "RSA-3072" : "EC P-256", label,
				   token->label);
	return 0;
}

/*
 * A crash between the two objects of an RSA pair: the private key shows modulus and exponent, so
 * the public one can be stored again. An EC private key shows no point: 0, not finished.
 */
static int complete_public(struct token *token, CK_OBJECT_HANDLE private_key, const char *label,
			   struct error *err)
{
	char text[TOKEN_KEY_LABEL_SIZE];
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	struct value id, modulus, exponent;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE object;
	CK_RV result;
	int status;

	status = read_attribute(token, private_key, CKA_ID, &id, err);
	if (status > 0)
		status = read_attribute(token, private_key, CKA_MODULUS, &modulus, err);
	if (status > 0)
		status = read_attribute(token, private_key, CKA_PUBLIC_EXPONENT, &exponent, err);
	if (status <= 0 || !id.size || !modulus.size || !exponent.size)
		return status < 0 ? status : 0;
	snprintf(text, sizeof(text), "%s", label); /* fits: asserted in find_half() */
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &no, sizeof(no)},
		{CKA_LABEL, text, strlen(text)},
		{CKA_ID, id.bytes, id.size},
		{CKA_MODULUS, modulus.bytes, modulus.size},
		{CKA_PUBLIC_EXPONENT, exponent.bytes, exponent.size},
		{CKA_ENCRYPT, &yes, sizeof(yes)},
		{CKA_VERIFY, &no, sizeof(no)},
		{CKA_WRAP, &no, sizeof(no)},
	};
	status = open_writing(token, &session, err);
	if (status < 0)
		return status;
	result = token->functions->C_CreateObject(session, template, ARRAY_LENGTH(template),
						  &object);
	token->functions->C_CloseSession(session);
	if (result != CKR_OK)
		return token_error(err, result, "storing the public half of '%s' in token '%s'",
				   label, token->label);
	return 1;
}

int token_key_ensure(struct token *token, enum token_key_kind kind, const char *label,
		     struct token_public_key *ret_key, struct error *err)
{
	struct halves halves;
	int made = 0, status;

	status = find_halves(token, label, &halves, err);
	if (status < 0)
		return status;
	if (!halves.private_count && !halves.public_count) {
		status = generate_pair(token, kind, label, err);
		made = 1;
	} else if (!halves.private_count) {
		return half_missing(token, label, false, err);
	} else if (!halves.public_count) {
		status = check_private(token, kind, halves.private_key, label, err);
		if (status == 0 && kind == TOKEN_KEY_UNWRAP)
			status = made = complete_public(token, halves.private_key, label, err);
		if (status == 0)
			return half_missing(token, label, true, err);
	}
	if (status < 0)
		return status;
	/* Read back as any later start will read it, also what was made a moment ago. */
	status = token_key_find(token, kind, label, ret_key, err);
	return status < 0 ? status : made;
}
