#include "restore/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/units.h"

/* What one entry of the lists takes at most, and everything else. */
#define BODY_ENTRY_SIZE 512u
#define BODY_HEAD_SIZE	4096u

struct manifest {
	struct output_file *files;
	size_t file_count, files_size;
	struct manifest_range *ranges;
	size_t range_count, ranges_size;
};

struct manifest *manifest_new(void)
{
	struct manifest *manifest = calloc(1, sizeof(*manifest));

	ASSERT(manifest);
	return manifest;
}

void manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	free(manifest->files);
	free(manifest->ranges);
	free(manifest);
}

/* Room for one more, doubling. */
static void *grow(void *list, size_t count, size_t *size, size_t entry_size)
{
	if (count < *size)
		return list;
	*size = *size ? 2 * *size : 64;
	list = reallocarray(list, *size, entry_size);
	ASSERT(list);
	return list;
}

void manifest_add_file(struct manifest *manifest, const struct output_file *file)
{
	manifest->files = grow(manifest->files, manifest->file_count, &manifest->files_size,
			       sizeof(*manifest->files));
	manifest->files[manifest->file_count++] = *file;
}

void manifest_add_range(struct manifest *manifest, const struct manifest_range *range)
{
	manifest->ranges = grow(manifest->ranges, manifest->range_count, &manifest->ranges_size,
				sizeof(*manifest->ranges));
	manifest->ranges[manifest->range_count++] = *range;
}

size_t manifest_file_count(const struct manifest *manifest)
{
	return manifest->file_count;
}

uint64_t manifest_byte_count(const struct manifest *manifest)
{
	uint64_t size = 0;

	for (size_t i = 0; i < manifest->file_count; i++)
		size += manifest->files[i].size;
	return size;
}

static json_t *new_object(void)
{
	json_t *object = json_object();

	ASSERT(object);
	return object;
}

static void put_time(json_t *object, const char *key, uint64_t usec)
{
	char text[TIME_TEXT_SIZE] = "";

	if (usec)
		time_format(usec, text);
	json_put_string(object, key, text);
}

static json_t *files_list(const struct manifest *manifest)
{
	json_t *list = json_array();

	ASSERT(list);
	for (size_t i = 0; i < manifest->file_count; i++) {
		const struct output_file *file = &manifest->files[i];
		json_t *object = new_object();

		json_put_string(object, "name", file->name);
		json_put_u64(object, "size", file->size);
		json_put_hex(object, "sha256", file->hash.bytes, HASH_SIZE);
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *ranges_list(const struct manifest *manifest)
{
	json_t *list = json_array();

	ASSERT(list);
	for (size_t i = 0; i < manifest->range_count; i++) {
		const struct manifest_range *range = &manifest->ranges[i];
		json_t *object = new_object();

		json_put_string(object, "file", range->binlog_file);
		json_put_u64(object, "leaf", range->leaf_index);
		json_put_hex(object, "segment", range->segment_id, SEGMENT_ID_SIZE);
		json_put_u64(object, "start", range->start_position);
		json_put_u64(object, "good_end", range->good_end);
		if (range->crc_wrong_count > 0) {
			json_put_u64(object, "crc_wrong_count", range->crc_wrong_count);
			json_put_u64(object, "crc_wrong_position", range->crc_wrong_position);
		}
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *until_object(const struct export_result *result)
{
	json_t *object = new_object();

	json_put_string(object, "file", result->until_file);
	json_put_u64(object, "position", result->until_position);
	put_time(object, "time", result->until_usec);
	return object;
}

int manifest_body(const struct manifest *manifest, const struct export_begin *begin,
		  const struct export_result *result, uint64_t now_usec, char **ret_body,
		  size_t *ret_size, struct error *err)
{
	size_t size = BODY_HEAD_SIZE +
		      (manifest->file_count + manifest->range_count) * (size_t)BODY_ENTRY_SIZE;
	json_t *object = new_object();
	char *body = malloc(size);
	int length;

	ASSERT(body);
	json_put(object, "schema", json_integer(1));
	json_put_string(object, "type", "binvault-restore");
	json_put_string(object, "archive", begin->archive);
	json_put_string(object, "request", begin->request);
	json_put_string(object, "source", begin->source);
	json_put_string(object, "worm", begin->worm);
	put_time(object, "created", now_usec);
	json_put(object, "files", files_list(manifest));
	json_put(object, "ranges", ranges_list(manifest));
	json_put(object, "until", until_object(result));
	length = json_text_canonical(object, body, size, err);
	json_decref(object);
	if (length < 0) {
		free(body);
		return error_prefix(err, "the manifest");
	}
	*ret_body = body;
	*ret_size = (size_t)length;
	return 0;
}

char *manifest_sums(const struct manifest *manifest)
{
	const size_t line_size = HEX_SIZE(HASH_SIZE) + sizeof("  \n") + BINLOG_NAME_MAX;
	char *text = calloc(manifest->file_count + 1, line_size);
	size_t used = 0;

	ASSERT(text);
	for (size_t i = 0; i < manifest->file_count; i++) {
		char hash[HEX_SIZE(HASH_SIZE)];

		hex_encode(manifest->files[i].hash.bytes, HASH_SIZE, hash);
		used += (size_t)snprintf(text + used, line_size, "%s  %s\n", hash,
					 manifest->files[i].name);
	}
	return text;
}
