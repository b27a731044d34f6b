#include "hsm/engine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Engines are deprecated since OpenSSL 3.0, and gone in 4.0: this file is all that knows them. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

#include <p11-kit/pkcs11.h>

#include "hsm/openssl_queue.h"

#define URI_SIZE       1024
#define PROOF_SIZE     64		/* as large as what is wrapped: a key and a hash */
#define PKCS11_LIBRARY "PKCS#11 module" /* the engine's name for results of the module */

DEFINE_CLEANUP(EVP_PKEY_CTX_free, EVP_PKEY_CTX *);

struct engine {
	ENGINE *engine;
	bool initialized; /* ENGINE_init's functional reference is held */
	bool pin_refused;
	UI_METHOD *no_prompt;
	char token_uri[URI_SIZE / 2]; /* "pkcs11:token=...;serial=..." */
	char token_name[TOKEN_LABEL_SIZE];
};

struct engine_key {
	enum token_key_kind kind;
	EVP_PKEY *private_key; /* every operation goes to the token */
	EVP_PKEY *public_key;  /* in software */
	char label[TOKEN_KEY_LABEL_SIZE];
};

/* --- opening --------------------------------------------------------------------------------- */

/* Append "@name=@value" with everything but letters and digits as %XX; false if it does not fit. */
static bool uri_append(char *uri, size_t uri_size, const char *name, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t used = strlen(uri);
	bool first = used > 0 && uri[used - 1] == ':';

	if (used + strlen(name) + 3 * strlen(value) + 3 > uri_size)
		return false;
	used += (size_t)snprintf(uri + used, uri_size - used, "%s%s=", first ? "" : ";", name);
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;

		if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
		    (byte >= 'a' && byte <= 'z')) {
			uri[used++] = (char)byte;
			continue;
		}
		uri[used++] = '%';
		uri[used++] = digits[byte >> 4];
		uri[used++] = digits[byte & 15];
	}
	uri[used] = '\0';
	return true;
}

/* With no PIN at hand the engine asks on the terminal; a service has none, and must not wait. */
static int refuse_to_prompt(UI *ui)
{
	(void)ui;
	return 0;
}

static int set_pin(struct engine *engine, const struct secret *pin, struct error *err)
{
	struct secret text = {0};
	int status;

	if (pin->size == 0 || memchr(pin->bytes, '\0', pin->size))
		return error_set(err, ERROR_USAGE, "the PIN is empty or contains a NUL byte");
	status = secret_init(&text, pin->size + 1, err);
	if (status < 0)
		return status;
	memcpy(text.bytes, pin->bytes, pin->size);
	if (ENGINE_ctrl_cmd_string(engine->engine, "PIN", (const char *)text.bytes, 0) != 1)
		status = openssl_queue_error(err, ERROR_FAILED, "giving the PIN to the engine");
	secret_release(&text);
	return status;
}

static int engine_start(struct engine *engine, const struct token_options *options,
			const struct secret *pin, struct error *err)
{
	int status;

	ENGINE_load_builtin_engines(); /* "dynamic", which loads all the others */
	engine->engine = ENGINE_by_id("pkcs11");
	if (!engine->engine)
		return openssl_queue_error(err, ERROR_USAGE,
					   "OpenSSL's pkcs11 engine cannot be loaded; install the "
					   "package libengine-pkcs11-openssl");
	engine->no_prompt = UI_create_method("no prompt");
	if (!engine->no_prompt || UI_method_set_opener(engine->no_prompt, refuse_to_prompt) != 0 ||
	    ENGINE_ctrl_cmd_string(engine->engine, "QUIET", NULL, 0) != 1 ||
	    ENGINE_ctrl_cmd_string(engine->engine, "MODULE_PATH", options->module, 0) != 1)
		return openssl_queue_error(err, ERROR_FAILED, "setting up the pkcs11 engine");
	status = set_pin(engine, pin, err);
	if (status < 0)
		return status;
	if (ENGINE_init(engine->engine) != 1)
		return openssl_queue_error(err, ERROR_UNAVAILABLE, "starting the pkcs11 engine");
	engine->initialized = true;
	return 0;
}

int engine_open(const struct token_options *options, const struct secret *pin,
		struct engine **ret_engine, struct error *err)
{
	CLEANUP(engine_freep)
	struct engine *engine = NULL;
	const char *name = options->label ? options->label : options->serial;
	int status;

	if (!options->module || !name)
		return error_set(err, ERROR_USAGE,
				 "PKCS#11 module or token is not configured: set module, and "
				 "token-label or token-serial");
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return error_set(err, ERROR_FAILED, "out of memory");
	snprintf(engine->token_name, sizeof(engine->token_name), "%s", name);
	snprintf(engine->token_uri, sizeof(engine->token_uri), "pkcs11:");
	if ((options->label &&
	     !uri_append(engine->token_uri, sizeof(engine->token_uri), "token", options->label)) ||
	    (options->serial &&
	     !uri_append(engine->token_uri, sizeof(engine->token_uri), "serial", options->serial)))
		return error_set(err, ERROR_USAGE, "token-label or token-serial is too long");
	status = engine_start(engine, options, pin, err);
	if (status < 0)
		return error_prefix(err, "token '%s'", engine->token_name);
	*ret_engine = TAKE(engine);
	return 0;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	if (engine->initialized)
		ENGINE_finish(engine->engine);
	if (engine->engine)
		ENGINE_free(engine->engine);
	if (engine->no_prompt)
		UI_destroy_method(engine->no_prompt);
	ERR_clear_error();
	free(engine);
}

/* --- keys ------------------------------------------------------------------------------------ */

static int pin_refused(const struct engine *engine, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "token '%s' says that the PIN is wrong; it is not tried again, as every "
			 "wrong PIN counts towards locking the token: correct the PIN",
			 engine->token_name);
}

static int load_private(struct engine *engine, struct engine_key *key, struct error *err)
{
	char reasons[OPENSSL_QUEUE_TEXT_SIZE];
	char uri[URI_SIZE];
	int kind;

	snprintf(uri, sizeof(uri), "%s", engine->token_uri);
	if (!uri_append(uri, sizeof(uri), "object", key->label) ||
	    !uri_append(uri, sizeof(uri), "type", "private"))
		return error_set(err, ERROR_USAGE, "the label of the key is too long");
	ERR_clear_error();
	key->private_key = ENGINE_load_private_key(engine->engine, uri, engine->no_prompt, NULL);
	if (!key->private_key) {
		engine->pin_refused =
			openssl_queue_drain(reasons, PKCS11_LIBRARY, CKR_PIN_INCORRECT);
		if (engine->pin_refused)
			return pin_refused(engine, err);
		return error_set(err, ERROR_UNAVAILABLE,
				 "key '%s' cannot be loaded from token '%s': %s", key->label,
				 engine->token_name, reasons);
	}
	kind = EVP_PKEY_get_base_id(key->private_key);
	if (kind != (key->kind == TOKEN_KEY_UNWRAP ? EVP_PKEY_RSA : EVP_PKEY_EC))
		return error_set(err, ERROR_FAILED, "key '%s' on token '%s' is not %s", key->label,
				 engine->token_name,
				 key->kind == TOKEN_KEY_UNWRAP ? "an RSA key"
							       : "an elliptic curve key");
	return 0;
}

/* Through DER, so that nothing of the engine stays attached to it. */
static int copy_public(struct engine_key *key, struct error *err)
{
	unsigned char *der = NULL;
	const unsigned char *end;
	int size;

	size = i2d_PUBKEY(key->private_key, &der);
	if (size <= 0 || size > TOKEN_PUBLIC_DER_MAX) {
		OPENSSL_free(der);
		return openssl_queue_error(err, ERROR_FAILED,
					   "key '%s' has no public half in the token", key->label);
	}
	end = der;
	key->public_key = d2i_PUBKEY(NULL, &end, size);
	OPENSSL_free(der);
	if (!key->public_key)
		return openssl_queue_error(err, ERROR_FAILED, "the public half of key '%s'",
					   key->label);
	return 0;
}

int engine_key_load(struct engine *engine, enum token_key_kind kind, const char *label,
		    struct engine_key **ret_key, struct error *err)
{
	CLEANUP(engine_key_freep)
	struct engine_key *key = NULL;
	int status;

	if (engine->pin_refused)
		return pin_refused(engine, err);
	ASSERT(strlen(label) < TOKEN_KEY_LABEL_SIZE);
	key = calloc(1, sizeof(*key));
	if (!key)
		return error_set(err, ERROR_FAILED, "out of memory");
	key->kind = kind;
	snprintf(key->label, sizeof(key->label), "%s", label);
	status = load_private(engine, key, err);
	if (status < 0)
		return status;
	status = copy_public(key, err);
	if (status < 0)
		return status;
	*ret_key = TAKE(key);
	return 0;
}

void engine_key_free(struct engine_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->private_key);
	EVP_PKEY_free(key->public_key);
	free(key);
}

void engine_key_public(const struct engine_key *key, struct token_public_key *ret_key)
{
	unsigned char *end = ret_key->der;
	int size = i2d_PUBKEY(key->public_key, NULL);

	ASSERT(size > 0 && size <= TOKEN_PUBLIC_DER_MAX); /* checked in copy_public() */
	i2d_PUBKEY(key->public_key, &end);
	ret_key->size = (size_t)size;
}

/* --- using them ------------------------------------------------------------------------------ */

static bool set_oaep(EVP_PKEY_CTX *context)
{
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0;
}

/* @plain is as large as the modulus. False for whatever goes wrong; the queue is empty afterwards
 * in any case (after a success too: tokens that know OAEP with SHA-1 only make the engine try
 * twice). */
static bool unwrap(struct engine_key *key, const void *wrap, size_t size, struct secret *plain)
{
	CLEANUP(EVP_PKEY_CTX_freep)
	EVP_PKEY_CTX *context = NULL;
	size_t plain_size = plain->size;
	bool good;

	ERR_clear_error();
	context = EVP_PKEY_CTX_new(key->private_key, NULL);
	good = context && size == plain->size && EVP_PKEY_decrypt_init(context) > 0 &&
	       set_oaep(context) &&
	       EVP_PKEY_decrypt(context, plain->bytes, &plain_size, wrap, size) > 0 &&
	       plain_size > 0 && plain_size <= plain->size;
	ERR_clear_error();
	if (good)
		plain->size = plain_size;
	return good;
}

static int prove_unwrap(struct engine_key *key, struct error *err)
{
	CLEANUP(EVP_PKEY_CTX_freep)
	EVP_PKEY_CTX *context = NULL;
	CLEANUP(secret_release)
	struct secret plain = {0};
	uint8_t sample[PROOF_SIZE], wrap[ENGINE_WRAP_MAX];
	size_t size = sizeof(wrap);
	int status;

	context = EVP_PKEY_CTX_new(key->public_key, NULL);
	if (RAND_bytes(sample, sizeof(sample)) != 1 || !context ||
	    EVP_PKEY_encrypt_init(context) <= 0 || !set_oaep(context) ||
	    EVP_PKEY_encrypt(context, wrap, &size, sample, sizeof(sample)) <= 0)
		return openssl_queue_error(err, ERROR_FAILED, "making a wrap to prove key '%s'",
					   key->label);
	status = secret_init(&plain, (size_t)EVP_PKEY_get_size(key->public_key), err);
	if (status < 0)
		return status;
	if (!unwrap(key, wrap, size, &plain))
		return error_set(err, ERROR_UNAVAILABLE,
				 "the token does not unwrap with key '%s' (RSA-OAEP with SHA-256): "
				 "it is away, or it cannot do this, or the key pair is not one",
				 key->label);
	if (plain.size != sizeof(sample) || CRYPTO_memcmp(plain.bytes, sample, sizeof(sample)) != 0)
		return error_set(err, ERROR_FAILED, "the token unwraps wrongly with key '%s'",
				 key->label);
	return 0;
}

int engine_key_prove(struct engine_key *key, struct error *err)
{
	uint8_t digest[ENGINE_DIGEST_SIZE], signature[ENGINE_SIGNATURE_MAX];
	int status;

	if (key->kind == TOKEN_KEY_UNWRAP)
		return prove_unwrap(key, err);
	if (RAND_bytes(digest, sizeof(digest)) != 1)
		return openssl_queue_error(err, ERROR_FAILED, "no random bytes");
	status = engine_sign_sha256(key, digest, signature, err);
	return status < 0 ? status : 0;
}

int engine_unwrap(struct engine_key *key, const void *wrap, size_t size, struct secret *ret_plain,
		  struct error *err)
{
	CLEANUP(secret_release)
	struct secret plain = {0};
	int status;

	ASSERT(key->kind == TOKEN_KEY_UNWRAP);
	status = secret_init(&plain, (size_t)EVP_PKEY_get_size(key->public_key), err);
	if (status < 0)
		return status;
	if (!unwrap(key, wrap, size, &plain)) {
		status = prove_unwrap(key, err);
		return status < 0 ? status
				  : error_set(err, ERROR_DEFECT,
					      "the wrapped key does not unwrap with key '%s'",
					      key->label);
	}
	*ret_plain = plain;
	plain = (struct secret){0};
	return 0;
}

static bool verify(const struct engine_key *key, const uint8_t *digest, const uint8_t *signature,
		   size_t size)
{
	CLEANUP(EVP_PKEY_CTX_freep)
	EVP_PKEY_CTX *context = NULL;

	context = EVP_PKEY_CTX_new(key->public_key, NULL);
	return context && EVP_PKEY_verify_init(context) > 0 &&
	       EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0 &&
	       EVP_PKEY_verify(context, signature, size, digest, ENGINE_DIGEST_SIZE) == 1;
}

int engine_sign_sha256(struct engine_key *key, const uint8_t digest[static ENGINE_DIGEST_SIZE],
		       uint8_t ret_signature[static ENGINE_SIGNATURE_MAX], struct error *err)
{
	CLEANUP(EVP_PKEY_CTX_freep)
	EVP_PKEY_CTX *context = NULL;
	uint8_t signature[ENGINE_SIGNATURE_MAX];
	size_t size = sizeof(signature);

	ASSERT(key->kind == TOKEN_KEY_SIGN);
	ERR_clear_error();
	context = EVP_PKEY_CTX_new(key->private_key, NULL);
	/* Any 32 bytes can be signed: what fails here is the token, not the digest. */
	if (!context || EVP_PKEY_sign_init(context) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) <= 0 ||
	    EVP_PKEY_sign(context, signature, &size, digest, ENGINE_DIGEST_SIZE) <= 0)
		return openssl_queue_error(err, ERROR_UNAVAILABLE,
					   "the token does not sign with key '%s'", key->label);
	if (!verify(key, digest, signature, size))
		return openssl_queue_error(err, ERROR_FAILED,
					   "the token made a signature with key '%s' that the "
					   "public half refuses",
					   key->label);
	memcpy(ret_signature, signature, size);
	return (int)size;
}
