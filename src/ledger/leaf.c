#include "ledger/leaf.h"

#include <string.h>

#include "base/units.h"

static const char *const common_fields[] = {"boot", "index", "time", "uptime"};

static int check_type(const char *type, int code, struct error *err)
{
	size_t length = strlen(type);

	if (length == 0 || length > LEAF_TYPE_MAX ||
	    strspn(type, "abcdefghijklmnopqrstuvwxyz-") != length || type[0] == '-')
		return error_set(err, code, "'%.40s' is no type of a leaf", type);
	return 0;
}

static int check_boot_id(const char *text, struct error *err)
{
	if (strlen(text) != BOOT_ID_SIZE - 1 ||
	    strspn(text, "0123456789abcdef-") != BOOT_ID_SIZE - 1)
		return error_set(err, ERROR_DEFECT, "'%.40s' is no boot id", text);
	return 0;
}

/* Only the one form that we write: a second one would be a second line for the same meaning. */
static int get_time(const json_t *object, uint64_t *ret_usec, struct error *err)
{
	char canonical[TIME_TEXT_SIZE];
	const char *text;
	uint64_t usec;
	int r = json_get_string(object, "time", &text, err);

	if (r < 0)
		return r;
	if (time_parse(text, &usec, err) < 0)
		return error_set(err, ERROR_DEFECT, "'%.40s' is no time", text);
	time_format(usec, canonical);
	if (strcmp(text, canonical) != 0)
		return error_set(err, ERROR_DEFECT, "'%.40s' is not written as '%s'", text,
				 canonical);
	*ret_usec = usec;
	return 0;
}

static int check_index(uint64_t index, struct error *err)
{
	if (index >= TREE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "leaf index %ju is beyond every limit",
				 (uintmax_t)index);
	return 0;
}

static int get_common(struct leaf *leaf, struct error *err)
{
	const char *boot_id;
	int r;

	r = json_get_string(leaf->object, "type", &leaf->type, err);
	if (r == 0)
		r = check_type(leaf->type, ERROR_DEFECT, err);
	if (r == 0)
		r = json_get_u64(leaf->object, "index", &leaf->index, err);
	if (r == 0)
		r = check_index(leaf->index, err);
	if (r == 0)
		r = get_time(leaf->object, &leaf->stamp.time_usec, err);
	if (r == 0)
		r = json_get_u64(leaf->object, "uptime", &leaf->stamp.uptime_usec, err);
	if (r == 0)
		r = json_get_string(leaf->object, "boot", &boot_id, err);
	if (r == 0)
		r = check_boot_id(boot_id, err);
	if (r < 0)
		return r;
	memcpy(leaf->stamp.boot_id, boot_id, BOOT_ID_SIZE);
	return 0;
}

int leaf_decode(const char *line, size_t length, struct leaf *ret_leaf, struct error *err)
{
	struct leaf leaf = {.line = line, .length = length};
	int r;

	if (length >= LEAF_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a line of %zu bytes is longer than %u", length,
				 LEAF_SIZE_MAX - 1);
	r = json_parse_canonical(line, length, &leaf.object, err);
	if (r < 0)
		return r;
	r = get_common(&leaf, err);
	if (r < 0) {
		leaf_release(&leaf);
		return r;
	}
	tree_leaf_hash(line, length, &leaf.hash);
	*ret_leaf = leaf;
	return 0;
}

void leaf_release(struct leaf *leaf)
{
	json_decref(leaf->object);
	memset(leaf, 0, sizeof(*leaf));
}

int leaf_encode(const json_t *fields, uint64_t index, const struct leaf_stamp *stamp,
		char line[static LEAF_SIZE_MAX], struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	char time[TIME_TEXT_SIZE];
	const char *type;
	int r;

	if (json_get_string(fields, "type", &type, err) < 0)
		return error_set(err, ERROR_USAGE, "a leaf without a type");
	r = check_type(type, ERROR_USAGE, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(common_fields) / sizeof(common_fields[0]); i++) {
		if (json_object_get(fields, common_fields[i]))
			return error_set(err, ERROR_USAGE, "leaf '%s' brings its own '%s'", type,
					 common_fields[i]);
	}
	/* jansson's copy takes a mutable object but only counts references in it */
	object = json_copy((json_t *)(uintptr_t)fields);
	ASSERT(object);
	time_format(stamp->time_usec, time);
	json_put_u64(object, "index", index);
	json_put_string(object, "time", time);
	json_put_string(object, "boot", stamp->boot_id);
	json_put_u64(object, "uptime", stamp->uptime_usec);
	/* one byte is left for the NUL, where the LF will stand */
	r = json_text_canonical(object, line, LEAF_SIZE_MAX, err);
	if (r < 0)
		return error_prefix(err, "leaf '%s'", type);
	return r;
}

json_t *leaf_void_new(const struct leaf_void *fields)
{
	json_t *object = json_object();

	ASSERT(object);
	json_put_string(object, "type", "void");
	json_put_string(object, "file", fields->file);
	json_put_string(object, "volume", fields->volume);
	json_put_u64(object, "offset", fields->offset);
	json_put_u64(object, "size", fields->size);
	json_put_hex(object, "sha256", fields->hash.bytes, HASH_SIZE);
	return object;
}

int leaf_void_get(const struct leaf *leaf, struct leaf_void *ret_void, struct error *err)
{
	struct leaf_void out;
	int r;

	memset(&out, 0, sizeof(out));
	if (!leaf_is(leaf, "void"))
		return error_set(err, ERROR_USAGE, "leaf %ju is no void leaf",
				 (uintmax_t)leaf->index);
	r = json_get_text(leaf->object, "file", out.file, sizeof(out.file), err);
	if (r == 0)
		r = json_get_text(leaf->object, "volume", out.volume, sizeof(out.volume), err);
	if (r == 0)
		r = json_get_u64(leaf->object, "offset", &out.offset, err);
	if (r == 0)
		r = json_get_u64(leaf->object, "size", &out.size, err);
	if (r == 0)
		r = json_get_hex(leaf->object, "sha256", out.hash.bytes, HASH_SIZE, err);
	if (r < 0)
		return error_prefix(err, "void leaf %ju", (uintmax_t)leaf->index);
	*ret_void = out;
	return 0;
}

bool leaf_is(const struct leaf *leaf, const char *type)
{
	return strcmp(leaf->type, type) == 0;
}
