#include "signer/login_record.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "crypto/random.h"
#include "hsm/pin.h"
#include "signer/state_file.h"

#define SALT_SIZE 16

struct record {
	bool refused; /* else trying */
	uint64_t tries;
	char serial[TOKEN_SERIAL_SIZE];
	uint8_t salt[SALT_SIZE];
	uint8_t hash[PIN_HASH_SIZE];
};

static int record_read(int directory_fd, struct record *ret, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	const char *serial = "";
	struct record record;
	int r = state_file_read(directory_fd, LOGIN_RECORD_FILE, &object, err);

	if (r < 0)
		return r;
	memset(&record, 0, sizeof(record));
	r = json_get_bool(object, "refused", &record.refused, err);
	if (r == 0)
		r = json_get_u64(object, "tries", &record.tries, err);
	if (r == 0)
		r = json_get_string(object, "token", &serial, err);
	if (r == 0)
		r = json_get_hex(object, "salt", record.salt, sizeof(record.salt), err);
	if (r == 0)
		r = json_get_hex(object, "pin", record.hash, sizeof(record.hash), err);
	if (r == 0 && strlen(serial) >= sizeof(record.serial))
		r = error_set(err, ERROR_DEFECT, "the token's serial number is too long");
	if (r < 0)
		return error_prefix(err, "'%s'", LOGIN_RECORD_FILE);
	memcpy(record.serial, serial, strlen(serial) + 1);
	*ret = record;
	return 0;
}

static int record_write(int directory_fd, const struct record *record, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();

	ASSERT(object);
	json_put_bool(object, "refused", record->refused);
	json_put_u64(object, "tries", record->tries);
	json_put_string(object, "token", record->serial);
	json_put_hex(object, "salt", record->salt, sizeof(record->salt));
	json_put_hex(object, "pin", record->hash, sizeof(record->hash));
	return state_file_write(directory_fd, LOGIN_RECORD_FILE, object, err);
}

/* Is it about this PIN at this token? */
static int record_matches(const struct record *record, const struct secret *pin, const char *serial,
			  bool *ret_matches, struct error *err)
{
	uint8_t hash[PIN_HASH_SIZE];
	int r = pin_hash(pin, record->salt, sizeof(record->salt), hash, err);

	if (r < 0)
		return r;
	*ret_matches = strcmp(record->serial, serial) == 0 &&
		       memcmp(record->hash, hash, sizeof(hash)) == 0;
	return 0;
}

static int record_make(const struct secret *pin, const char *serial, struct record *ret,
		       struct error *err)
{
	memset(ret, 0, sizeof(*ret));
	ret->tries = 1;
	ASSERT(strlen(serial) < sizeof(ret->serial));
	memcpy(ret->serial, serial, strlen(serial) + 1);
	random_bytes(ret->salt, sizeof(ret->salt));
	return pin_hash(pin, ret->salt, sizeof(ret->salt), ret->hash, err);
}

static int refused_before(const char *directory, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "the token has refused this PIN before: it is not tried again, so that "
			 "the token does not lock. Correct what pin-source names; if it was the "
			 "token's PIN that was corrected, remove '%s/%s'",
			 directory, LOGIN_RECORD_FILE);
}

/* A try with the same PIN did not come to its end. May there be another one? */
static int check_unfinished(int directory_fd, const char *directory, struct record *record,
			    enum token_pin_state token_state, struct error *err)
{
	if (token_state != TOKEN_PIN_CLEAR) {
		record->refused = true;
		if (record_write(directory_fd, record, err) < 0)
			return err->code;
		return refused_before(directory, err);
	}
	if (record->tries < LOGIN_TRIES_MAX)
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "%" PRIu64 " logins with this PIN were cut off before the token answered: "
			 "it is not tried again. Find out what ends binvault-hsm, then remove "
			 "'%s/%s'",
			 record->tries, directory, LOGIN_RECORD_FILE);
}

int login_record_begin(int directory_fd, const char *directory, const struct secret *pin,
		       const char *token_serial, enum token_pin_state token_state,
		       struct error *err)
{
	struct record record;
	bool matches = false;
	int r = record_read(directory_fd, &record, err);

	if (r == 0)
		r = record_matches(&record, pin, token_serial, &matches, err);
	else if (r == ERROR_NOT_FOUND)
		r = 0;
	if (r < 0)
		return r;
	if (matches && record.refused)
		return refused_before(directory, err);
	if (matches) {
		r = check_unfinished(directory_fd, directory, &record, token_state, err);
		if (r < 0)
			return r;
		record.tries++;
	} else {
		r = record_make(pin, token_serial, &record, err);
		if (r < 0)
			return r;
	}
	return record_write(directory_fd, &record, err);
}

int login_record_end(int directory_fd, int result, struct error *err)
{
	struct record record;
	int r;

	if (result != ERROR_REFUSED)
		return state_file_remove(directory_fd, LOGIN_RECORD_FILE, err);
	r = record_read(directory_fd, &record, err);
	if (r < 0)
		return r;
	record.refused = true;
	return record_write(directory_fd, &record, err);
}

int login_record_refused(int directory_fd, const struct secret *pin, const char *token_serial,
			 struct error *err)
{
	struct record record;
	int r = record_make(pin, token_serial, &record, err);

	if (r < 0)
		return r;
	record.refused = true;
	return record_write(directory_fd, &record, err);
}
