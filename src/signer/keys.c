#include "signer/keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hex.h"
#include "base/secret.h"
#include "hsm/engine.h"
#include "hsm/pin.h"
#include "hsm/token.h"
#include "signer/login_record.h"

#define MASTERS_MAX 16 /* of an archive, in use at one time */

struct master {
	uint8_t archive_id[16];
	uint32_t sequence;
	struct engine_key *key;
};

struct keys {
	const struct config *config;
	int state_fd; /* borrowed */
	struct token_options options;
	struct secret pin;
	char serial[TOKEN_SERIAL_SIZE];
	struct token *token; /* before keys_start() */
	struct engine *engine;
	struct engine_key *signing[KEY_ROLE_COUNT]; /* none at KEY_MASTER */
	struct master masters[MASTERS_MAX];
	size_t master_count;
};

/* --- names ----------------------------------------------------------------------------------- */

void key_uuid(const uint8_t archive_id[static 16], char text[static KEY_UUID_SIZE])
{
	char digits[HEX_SIZE(16)];

	hex_encode(archive_id, 16, digits);
	snprintf(text, KEY_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12,
		 digits + 16, digits + 20);
}

void key_label(enum key_role role, const uint8_t archive_id[static 16], uint32_t sequence,
	       char label[static KEY_LABEL_SIZE])
{
	char uuid[KEY_UUID_SIZE];

	key_uuid(archive_id, uuid);
	if (role == KEY_MASTER)
		snprintf(label, KEY_LABEL_SIZE, "BinvaultMasterKey_%s_%" PRIu32, uuid, sequence);
	else
		snprintf(label, KEY_LABEL_SIZE, "Binvault%sKey_%s",
			 role == KEY_CHECKPOINT ? "Checkpoint" : "Manifest", uuid);
}

static enum token_key_kind kind_of(enum key_role role)
{
	return role == KEY_MASTER ? TOKEN_KEY_UNWRAP : TOKEN_KEY_SIGN;
}

/* --- opening --------------------------------------------------------------------------------- */

/* One login, with its record before and behind it. */
static int log_in(struct keys *keys, struct error *err)
{
	const char *directory = keys->config->hsm_state;
	enum token_pin_state state;
	struct error record_err;
	int r = token_pin_state(keys->token, &state, err);

	if (r == 0)
		r = login_record_begin(keys->state_fd, directory, &keys->pin, keys->serial, state,
				       err);
	if (r < 0)
		return r;
	r = token_login(keys->token, &keys->pin, err);
	if (login_record_end(keys->state_fd, r, &record_err) < 0) {
		*err = record_err;
		return error_prefix(err, "login record in '%s'", directory);
	}
	return r;
}

int keys_open(const struct config *config, int state_fd, struct keys **ret_keys, struct error *err)
{
	CLEANUP(keys_freep)
	struct keys *keys = calloc(1, sizeof(*keys));
	int r;

	ASSERT(keys);
	keys->config = config;
	keys->state_fd = state_fd;
	keys->options = (struct token_options){
		.module = config->hsm_module,
		.label = config->hsm_token_label,
		.serial = config->hsm_token_serial,
	};
	r = pin_read(config->hsm_pin_source, &keys->pin, err);
	if (r == ERROR_NOT_FOUND)
		r = err->code = ERROR_USAGE;
	if (r == 0)
		r = token_open(&keys->options, &keys->token, err);
	if (r == 0)
		snprintf(keys->serial, sizeof(keys->serial), "%s", token_serial(keys->token));
	if (r == 0)
		r = log_in(keys, err);
	if (r == ERROR_REFUSED)
		error_prefix(err, "the PIN of pin-source = %s", config->hsm_pin_source);
	if (r == 0)
		r = token_check_keys(keys->token, err);
	if (r < 0)
		return r;
	*ret_keys = TAKE(keys);
	return 0;
}

void keys_free(struct keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < KEY_ROLE_COUNT; i++)
		engine_key_free(keys->signing[i]);
	for (size_t i = 0; i < keys->master_count; i++)
		engine_key_free(keys->masters[i].key);
	engine_free(keys->engine);
	token_free(keys->token);
	secret_release(&keys->pin);
	free(keys);
}

/* --- finding and making ---------------------------------------------------------------------- */

static int find_key(struct keys *keys, enum key_role role, const char *label, bool make,
		    struct hsm_key *ret, struct error *err)
{
	struct token_public_key found;
	int r = make ? token_key_ensure(keys->token, kind_of(role), label, &found, err)
		     : token_key_find(keys->token, kind_of(role), label, &found, err);

	if (r == ERROR_NOT_FOUND)
		return error_set(err, ERROR_USAGE,
				 "token '%s' does not hold the key '%s' of this archive: is it the "
				 "right token? A lost key comes back only from a backup of the HSM",
				 token_label(keys->token), label);
	if (r < 0)
		return r;
	ASSERT(found.size <= sizeof(ret->der));
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->label, label, strlen(label));
	memcpy(ret->der, found.der, found.size);
	ret->der_size = (uint16_t)found.size;
	return 0;
}

static struct hsm_key *key_of(struct hsm_keys *keys, enum key_role role)
{
	if (role == KEY_MASTER)
		return &keys->master;
	return role == KEY_CHECKPOINT ? &keys->checkpoint : &keys->manifest;
}

int keys_find(struct keys *keys, const uint8_t archive_id[static 16], bool make,
	      struct hsm_keys *ret, struct error *err)
{
	struct hsm_keys found;

	ASSERT(keys->token);
	for (int i = 0; i < KEY_ROLE_COUNT; i++) {
		enum key_role role = (enum key_role)i;
		char label[KEY_LABEL_SIZE];
		int r;

		key_label(role, archive_id, 1, label);
		r = find_key(keys, role, label, make, key_of(&found, role), err);
		if (r < 0)
			return r;
	}
	*ret = found;
	return 0;
}

/* --- in use ---------------------------------------------------------------------------------- */

static int load(struct keys *keys, enum key_role role, const struct hsm_key *expected,
		struct engine_key **ret_key, struct error *err)
{
	struct engine_key *key = NULL;
	struct token_public_key public;
	struct error record_err;
	int r = engine_key_load(keys->engine, kind_of(role), expected->label, &key, err);

	/* It was right a moment ago: somebody has changed the token's PIN meanwhile. */
	if (r == ERROR_REFUSED &&
	    login_record_refused(keys->state_fd, &keys->pin, keys->serial, &record_err) < 0)
		*err = record_err;
	if (r < 0)
		return err->code;
	engine_key_public(key, &public);
	if (expected->der_size > 0 && (public.size != expected->der_size ||
				       memcmp(public.der, expected->der, public.size) != 0)) {
		engine_key_free(key);
		return error_set(err, ERROR_DEFECT, "the engine shows another key as '%s'",
				 expected->label);
	}
	*ret_key = key;
	return 0;
}

static int load_master(struct keys *keys, const uint8_t archive_id[static 16], uint32_t sequence,
		       const struct hsm_key *expected, struct engine_key **ret_key,
		       struct error *err)
{
	struct master *master = &keys->masters[keys->master_count];
	int r;

	if (keys->master_count == MASTERS_MAX)
		return error_set(err, ERROR_FAILED, "%d master keys are in use already",
				 MASTERS_MAX);
	r = load(keys, KEY_MASTER, expected, &master->key, err);
	if (r < 0)
		return r;
	memcpy(master->archive_id, archive_id, sizeof(master->archive_id));
	master->sequence = sequence;
	keys->master_count++;
	*ret_key = master->key;
	return 0;
}

static int prove_all(const struct keys *keys, struct error *err)
{
	int r = engine_key_prove(keys->masters[0].key, err);

	if (r == 0)
		r = engine_key_prove(keys->signing[KEY_CHECKPOINT], err);
	if (r == 0)
		r = engine_key_prove(keys->signing[KEY_MANIFEST], err);
	return r;
}

int keys_start(struct keys *keys, const uint8_t *archive_id, const struct hsm_keys *expected,
	       bool prove, struct error *err)
{
	struct engine_key *master;
	int r;

	ASSERT(!keys->engine);
	/* Both initialise the module: one after the other. */
	token_free(TAKE(keys->token));
	r = engine_open(&keys->options, &keys->pin, &keys->engine, err);
	if (r < 0 || !expected)
		return r;
	r = load_master(keys, archive_id, 1, &expected->master, &master, err);
	if (r == 0)
		r = load(keys, KEY_CHECKPOINT, &expected->checkpoint,
			 &keys->signing[KEY_CHECKPOINT], err);
	if (r == 0)
		r = load(keys, KEY_MANIFEST, &expected->manifest, &keys->signing[KEY_MANIFEST],
			 err);
	if (r == 0 && prove)
		r = prove_all(keys, err);
	return r;
}

static int find_master(struct keys *keys, const uint8_t archive_id[static 16], uint32_t sequence,
		       struct engine_key **ret_key, struct error *err)
{
	struct hsm_key unknown = {.der_size = 0};

	for (size_t i = 0; i < keys->master_count; i++) {
		const struct master *master = &keys->masters[i];

		if (master->sequence == sequence &&
		    memcmp(master->archive_id, archive_id, sizeof(master->archive_id)) == 0) {
			*ret_key = master->key;
			return 0;
		}
	}
	key_label(KEY_MASTER, archive_id, sequence, unknown.label);
	return load_master(keys, archive_id, sequence, &unknown, ret_key, err);
}

int keys_unwrap(struct keys *keys, const struct hsm_unwrap *request, struct hsm_unwrapped *ret,
		struct error *err)
{
	CLEANUP(secret_release)
	struct secret plain = {0};
	struct engine_key *key = NULL;
	struct error proof_err;
	int r = find_master(keys, request->archive_id, request->master_sequence, &key, err);

	if (r < 0)
		return r;
	r = engine_unwrap(key, request->wrap, request->wrap_size, &plain, err);
	/* A wrap of others, or a token that is gone? The key itself knows. */
	if (r == ERROR_DEFECT && engine_key_prove(key, &proof_err) < 0) {
		*err = proof_err;
		return err->code = ERROR_UNAVAILABLE;
	}
	if (r < 0)
		return r;
	if (plain.size != sizeof(ret->bytes))
		return error_set(err, ERROR_DEFECT, "the wrap holds %zu bytes, not %zu", plain.size,
				 sizeof(ret->bytes));
	memcpy(ret->bytes, plain.bytes, sizeof(ret->bytes));
	return 0;
}

int keys_sign(struct keys *keys, enum key_role role, const struct hash *digest,
	      struct hsm_signature *ret, struct error *err)
{
	static_assert(ENGINE_SIGNATURE_MAX <= sizeof(ret->signature), "fits");
	static_assert(ENGINE_DIGEST_SIZE == HASH_SIZE, "SHA-256");
	int r;

	ASSERT(role != KEY_MASTER && keys->signing[role]);
	r = engine_sign_sha256(keys->signing[role], digest->bytes, ret->signature, err);
	if (r < 0)
		return r;
	ret->signature_size = (uint16_t)r;
	return 0;
}
