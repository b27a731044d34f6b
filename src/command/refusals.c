#include "command/refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/operator_client.h"
#include "io/clock.h"
#include "io/file.h"

#define FILE_NAME     "refused.json"
#define FILE_SIZE_MAX 65536
#define SENTENCE_SIZE 512 /* of a leaf */

json_t *refusal_new(const struct sealed *sealed, const struct error *reason)
{
	json_t *object = json_object();
	char sentence[SENTENCE_SIZE];

	ASSERT(object);
	snprintf(sentence, sizeof(sentence), "%.511s", reason->message);
	for (char *c = sentence; *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
	json_put_u64(object, "usec", clock_realtime_usec());
	json_put_string(object, "sentence", sentence);
	if (sealed->hashed)
		json_put_hex(object, "hash", sealed->hash.bytes, HASH_SIZE);
	if (sealed->bundle.version > 0)
		json_put_u64(object, "version", sealed->bundle.version);
	return object;
}

/* --- the file --------------------------------------------------------------------------------- */

/* An array, empty if there is no file. */
static int load(int dir_fd, json_t **ret_waiting, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	CLEANUP(freep)
	char *text = malloc(FILE_SIZE_MAX);
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	const json_t *waiting;
	ssize_t size;
	int r;

	ASSERT(text);
	if (faccessat(dir_fd, FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		*ret_waiting = json_array();
		return 0;
	}
	fd = file_open_read(dir_fd, FILE_NAME, err);
	if (fd < 0)
		return fd;
	size = file_read(fd, text, FILE_SIZE_MAX, 0, err);
	if (size < 0)
		return (int)size;
	r = json_parse(text, (size_t)size, &object, err);
	if (r == 0)
		r = json_get_array(object, "refused", &waiting, err);
	if (r < 0)
		return error_prefix(err, "'" FILE_NAME "' (remove it when it was read)");
	*ret_waiting = json_deep_copy(waiting);
	ASSERT(*ret_waiting);
	return 0;
}

static int store(int dir_fd, json_t *waiting, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	CLEANUP(freep)
	char *text = NULL;

	if (json_array_size(waiting) == 0) {
		if (unlinkat(dir_fd, FILE_NAME, 0) < 0 && errno != ENOENT)
			return error_set_errno(err, ERROR_IO, errno, "removing '" FILE_NAME "'");
		return file_sync(dir_fd, err);
	}
	object = json_pack("{s:i,s:O}", "schema", 1, "refused", waiting);
	text = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	ASSERT(text);
	return file_replace(dir_fd, FILE_NAME, text, strlen(text), 0600, err);
}

/* --- the keeper ------------------------------------------------------------------------------- */

static int tell(const struct config *config, const json_t *refusal, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *request = json_deep_copy(refusal);
	CLEANUP(json_decrefp)
	json_t *reply = NULL;

	if (!config)
		return error_set(err, ERROR_UNAVAILABLE,
				 "no configuration in force says where the keeper is");
	if (!json_is_object(request))
		return 0; /* not ours: it is dropped */
	json_put_string(request, "verb", "config-refused");
	return operator_ask(config, request, &reply, err);
}

int refusals_tell(int dir_fd, const struct config *config, json_t *refusal,
		  struct refusals_told *ret_told, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *waiting = NULL;
	struct refusals_told told = {.told = 0};
	struct error reason;
	size_t before;
	int r = load(dir_fd, &waiting, err);

	if (r < 0) {
		json_decref(refusal);
		return r;
	}
	before = json_array_size(waiting);
	if (refusal)
		json_array_append_new(waiting, refusal);
	while (json_array_size(waiting) > 0 && told.reason[0] == '\0') {
		if (tell(config, json_array_get(waiting, 0), &reason) < 0) {
			snprintf(told.reason, sizeof(told.reason), "%s", reason.message);
		} else {
			json_array_remove(waiting, 0);
			told.told++;
		}
	}
	while (json_array_size(waiting) > REFUSALS_MAX)
		json_array_remove(waiting, REFUSALS_MAX);
	told.waiting = json_array_size(waiting);
	/* Only then: who is killed in between tells them twice rather than never. */
	if (before > 0 || told.waiting > 0)
		r = store(dir_fd, waiting, err);
	if (r == 0)
		*ret_told = told;
	return r;
}
