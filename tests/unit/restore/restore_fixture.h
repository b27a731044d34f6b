/* The golden binlog as segments, leaves as a keeper would send them, and a directory to restore
 * into. For tests only. */
#pragma once

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

#include "unit/binlog/golden.h"
#include "unit/cmocka_prelude.h"
#include "unit/volume/segment_builder.h"

#include "restore/segment_export.h"

#define EVENTS_MAX 512

/* A binlog file and where its events stand. */
struct binlog {
	struct golden file;
	size_t starts[EVENTS_MAX + 1]; /* the last one: the end */
	size_t count;
};

static inline uint8_t event_type_at(const struct binlog *binlog, size_t index)
{
	return binlog->file.bytes[binlog->starts[index] + 4];
}

static inline void binlog_load(struct binlog *binlog, const char *path)
{
	size_t position = BINLOG_MAGIC_SIZE;

	golden_load(&binlog->file, path);
	binlog->count = 0;
	while (position < binlog->file.size) {
		assert_true(binlog->count < EVENTS_MAX);
		binlog->starts[binlog->count++] = position;
		position += get_le32(binlog->file.bytes + position + 9);
	}
	assert_int_equal(position, binlog->file.size);
	binlog->starts[binlog->count] = position;
}

/* Is the place in front of this event outside of all transactions? What the file shows by itself:
 * only a GTID, or an event about the file, stands there. */
static inline bool is_boundary(const struct binlog *binlog, size_t index)
{
	uint8_t type;

	if (index == binlog->count)
		return true;
	type = event_type_at(binlog, index);
	return type == EVENT_MARIADB_GTID || type == EVENT_ROTATE || type == EVENT_STOP ||
	       type == EVENT_MARIADB_GTID_LIST || type == EVENT_MARIADB_CHECKPOINT ||
	       type == EVENT_FORMAT_DESCRIPTION;
}

/* Events in transactions get the time of @first plus the number of the transaction. */
static inline void binlog_set_times(struct binlog *binlog, uint32_t first)
{
	uint32_t time = first;
	struct error err = {0};

	for (size_t i = 0; i < binlog->count; i++) {
		uint8_t *event = binlog->file.bytes + binlog->starts[i];
		uint32_t length = (uint32_t)(binlog->starts[i + 1] - binlog->starts[i]);
		struct event_crc crc;

		time += event_type_at(binlog, i) == EVENT_MARIADB_GTID;
		put_le(event, time, 4);
		assert_ok(event_crc_init(&crc, length, &err), &err);
		event_crc_update(&crc, event, length);
		put_le(event + length - EVENT_CRC_SIZE, crc.computed, EVENT_CRC_SIZE);
	}
}

/* One sealed segment and what its leaf says. */
struct sealed {
	uint8_t *bytes;
	size_t size;
	struct export_segment leaf;
};

static inline void sealed_release(struct sealed *sealed)
{
	free(sealed->bytes);
}

/* A SESSION as the puller writes it: the FORMAT_DESCRIPTION of the file is in it. */
static inline void add_session(struct builder *builder, const struct binlog *binlog)
{
	uint8_t bytes[4 + 2 + FORMAT_EVENT_MAX] = {2, 0, 0, 0, '{', '}'};
	size_t size = binlog->starts[1] - binlog->starts[0];
	struct segment_output output;
	struct error err = {0};

	memcpy(bytes + 6, binlog->file.bytes + binlog->starts[0], size);
	assert_ok(segment_writer_session(builder->writer, bytes, 6 + size, 1700000000500000u,
					 &output, &err),
		  &err);
	builder_output(builder, &output);
}

static inline void add_event(struct builder *builder, const struct binlog *binlog, size_t index)
{
	const uint8_t *bytes = binlog->file.bytes + binlog->starts[index];
	size_t size = binlog->starts[index + 1] - binlog->starts[index];
	const struct segment_event event = {
		.position = binlog->starts[index],
		.length = (uint32_t)size,
		.crc = get_le32(bytes + size - 4),
		.time_usec = get_le32(bytes) * UINT64_C(1000000),
		.transaction_end = is_boundary(binlog, index + 1),
	};

	assert_int_equal(segment_writer_add(builder->writer, bytes, size), size);
	segment_writer_event_end(builder->writer, &event);
}

struct sealed_options {
	const char *name;  /* of the binlog file */
	size_t from, to;   /* events [from, to) */
	size_t per_frame;  /* events; 0: all */
	bool last_of_file; /* rotated behind it */
	uint8_t file_id;
};

static inline struct sealed sealed_new(const struct binlog *binlog,
				       const struct sealed_options *options)
{
	struct segment_header header = builder_header();
	struct sealed sealed = {.leaf = {.leaf_index = 7 + options->from}};
	struct builder builder;

	header.start_position = binlog->starts[options->from];
	header.segment_id[0] = (uint8_t)options->from;
	memset(header.file_id.bytes, options->file_id, HASH_SIZE);
	memset(header.binlog_file, 0, sizeof(header.binlog_file));
	memcpy(header.binlog_file, options->name, strlen(options->name));
	builder_init_with(&builder, &header, 1);
	add_session(&builder, binlog);
	for (size_t i = options->from; i < options->to; i++) {
		add_event(&builder, binlog, i);
		if (options->per_frame && (i - options->from) % options->per_frame == 0)
			builder_frame(&builder);
	}
	builder_end(&builder, options->last_of_file ? SEGMENT_ENDED_ROTATE : SEGMENT_ENDED_SIZE,
		    options->last_of_file ? "mariadb-bin.000009" : "");
	sealed.bytes = TAKE(builder.file);
	sealed.size = builder.size;
	memcpy(sealed.leaf.header, builder.header_bytes, SEGMENT_HEADER_SIZE);
	memcpy(sealed.leaf.key, builder.key.bytes, sizeof(sealed.leaf.key));
	hash_bytes(sealed.bytes, sealed.size, &sealed.leaf.file_hash);
	sealed.leaf.file_size = sealed.size;
	sealed.leaf.start_position = header.start_position;
	sealed.leaf.good_end = binlog->starts[options->to];
	sealed.leaf.last_of_file = options->last_of_file;
	sealed.leaf.limited = true; /* a position is one of this file */
	memcpy(sealed.leaf.name, options->name, strlen(options->name));
	builder_release(&builder);
	return sealed;
}

/* --- the directory --------------------------------------------------------------------------- */

struct place {
	char path[64];
	int fd;
};

static inline void place_init(struct place *place)
{
	snprintf(place->path, sizeof(place->path), "/tmp/binvault-restore.XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
}

/* Remove what is in it; returns how many files there were. */
static inline size_t place_empty(struct place *place)
{
	DIR *directory = opendir(place->path);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(unlinkat(place->fd, entry->d_name, 0), 0);
		count++;
	}
	closedir(directory);
	return count;
}

static inline void place_release(struct place *place)
{
	place_empty(place);
	close(place->fd);
	rmdir(place->path);
}

/* The content of a file; *ret_size SIZE_MAX if there is none. */
static inline uint8_t *place_read(const struct place *place, const char *name, size_t *ret_size)
{
	int fd = openat(place->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint8_t *bytes;

	*ret_size = SIZE_MAX;
	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &status), 0);
	bytes = malloc((size_t)status.st_size + 1);
	assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
	*ret_size = (size_t)status.st_size;
	close(fd);
	return bytes;
}

static inline void assert_file(const struct place *place, const char *name, const uint8_t *bytes,
			       size_t size)
{
	size_t found;
	uint8_t *content = place_read(place, name, &found);

	if (found != size)
		fail_msg("'%s' has %zd bytes, expected %zu", name, (ssize_t)found, size);
	assert_memory_equal(content, bytes, size);
	free(content);
}

/* --- without a keeper ------------------------------------------------------------------------ */

static inline int no_progress(void *context, uint64_t size, struct error *err)
{
	(void)context;
	(void)size;
	(void)err;
	return 0;
}

static inline void export_init(struct segment_export *export, const struct place *place)
{
	memset(export, 0, sizeof(*export));
	export->limit = (struct chain_limit){CHAIN_NO_LIMIT, CHAIN_NO_LIMIT};
	export->progress = no_progress;
	if (!place)
		return;
	export->output = output_new(place->fd);
	export->manifest = manifest_new();
}

static inline void export_release(struct segment_export *export)
{
	output_free(export->output);
	manifest_free(export->manifest);
}

/* The leaf's copy goes in: its key is wiped. */
static inline int export_sealed(struct segment_export *export, const struct sealed *sealed,
				struct export_segment_done *done, struct error *err)
{
	struct export_segment wanted = sealed->leaf;
	int fd = bytes_fd(sealed->bytes, sealed->size);
	int r = segment_export(export, &wanted, fd, done, err);

	close(fd);
	for (size_t i = 0; i < sizeof(wanted.key); i++)
		assert_int_equal(wanted.key[i], 0);
	return r;
}
