#include "signer/last_signed.h"

#include <string.h>

#include "base/json.h"
#include "signer/state_file.h"

#define FORMAT 0

int last_signed_read(int directory_fd, struct last_signed *ret, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct last_signed state;
	uint64_t format;
	int r = state_file_read(directory_fd, LAST_SIGNED_FILE, &object, err);

	if (r < 0)
		return r;
	memset(&state, 0, sizeof(state));
	r = json_get_u64(object, "format", &format, err);
	if (r == 0 && format != FORMAT)
		r = error_set(err, ERROR_USAGE, "its format is of a later version of Binvault");
	if (r == 0)
		r = json_get_hex(object, "archive", state.archive_id, sizeof(state.archive_id),
				 err);
	if (r == 0)
		r = tree_get(object, "tree", &state.tree, err);
	if (r == 0)
		r = json_get_hex(object, "master", state.master.bytes, HASH_SIZE, err);
	if (r == 0)
		r = json_get_hex(object, "checkpoint", state.checkpoint.bytes, HASH_SIZE, err);
	if (r == 0)
		r = json_get_hex(object, "manifest", state.manifest.bytes, HASH_SIZE, err);
	if (r < 0)
		return error_prefix(err, "'%s'", LAST_SIGNED_FILE);
	*ret = state;
	return 0;
}

int last_signed_write(int directory_fd, const struct last_signed *state, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();

	ASSERT(object);
	json_put_u64(object, "format", FORMAT);
	json_put_hex(object, "archive", state->archive_id, sizeof(state->archive_id));
	tree_put(object, "tree", &state->tree);
	json_put_hex(object, "master", state->master.bytes, HASH_SIZE);
	json_put_hex(object, "checkpoint", state->checkpoint.bytes, HASH_SIZE);
	json_put_hex(object, "manifest", state->manifest.bytes, HASH_SIZE);
	return state_file_write(directory_fd, LAST_SIGNED_FILE, object, err);
}
