/*
 * In this order, so that a running keeper disturbs nothing: list the files, then read the ledger
 * (which then knows of every one of them, but for a file that was being opened that moment), then
 * read the files.
 */
#include "store/verify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "io/clock.h"
#include "ledger/log.h"
#include "ledger/verify.h"
#include "store/segment_file.h"
#include "store/verify_parts.h"

#define MOMENT_NSEC   300000000L /* longer than any append takes */
#define TORN_SENTENCE "an append that was torn (start the keeper: it names it), or damage"

void audit_report(struct audit *audit, const struct audit_volume *volume, const char *format, ...)
{
	char sentence[ERROR_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	pthread_mutex_lock(&audit->lock);
	audit->result->defect_count++;
	audit->options->report_defect(audit->options->context, volume->path, sentence);
	pthread_mutex_unlock(&audit->lock);
}

void audit_flag(struct audit_volume *volume, int fd, const char *path, enum file_protection least)
{
	enum file_protection found = FILE_PROTECTION_NONE;
	struct error err;

	if (!volume->required)
		return;
	if (file_protection(fd, &found, &err) == 0 && found >= least)
		return;
	if (volume->audit->options->copy) {
		pthread_mutex_lock(&volume->audit->lock);
		volume->audit->result->unprotected_count++;
		pthread_mutex_unlock(&volume->audit->lock);
		return;
	}
	audit_report(volume->audit, volume, "%s: lacks its flag %s (chattr %s)", path,
		     least == FILE_PROTECTION_IMMUTABLE ? "immutable" : "append-only",
		     least == FILE_PROTECTION_IMMUTABLE ? "+i" : "+a");
}

/* --- what the leaves know -------------------------------------------------------------------- */

static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? 2 * *capacity : 256;
	array = realloc(array, *capacity * size);
	ASSERT(array);
	return array;
}

static void know_path(struct audit *audit, const char *path, bool orphan)
{
	audit->paths =
		grow(audit->paths, audit->path_count, &audit->path_capacity, sizeof(*audit->paths));
	audit->paths[audit->path_count] = (struct known_path){strdup(path), orphan};
	ASSERT(audit->paths[audit->path_count].path);
	audit->path_count++;
}

static void know_opened(struct audit *audit, const struct leaf *leaf)
{
	struct segment_opened_record record;
	struct known_segment *segment;
	struct error ignored; /* the fold has told of it */

	if (segment_opened_record_decode(leaf->object, &record, &ignored) < 0)
		return;
	segment = calloc(1, sizeof(*segment));
	ASSERT(segment);
	segment->opened_index = leaf->index;
	memcpy(segment->id, record.header.segment_id, SEGMENT_ID_SIZE);
	memcpy(segment->path, record.path, sizeof(segment->path));
	memcpy(segment->header_bytes, record.header_bytes, SEGMENT_HEADER_SIZE);
	audit->segments = grow(audit->segments, audit->segment_count, &audit->segment_capacity,
			       sizeof(*audit->segments));
	audit->segments[audit->segment_count++] = segment;
	know_path(audit, record.path, false);
}

static void know_sealed(struct audit *audit, const struct leaf *leaf)
{
	struct segment_sealed_record *record = calloc(1, sizeof(*record));
	struct error ignored;

	ASSERT(record);
	if (segment_sealed_record_decode(leaf->object, record, &ignored) < 0) {
		free(record);
		return;
	}
	for (size_t i = audit->segment_count; i-- > 0;) {
		struct known_segment *segment = audit->segments[i];

		if (segment->sealed || segment->opened_index != record->opened_index)
			continue;
		segment->sealed = true;
		segment->sealed_index = leaf->index;
		segment->size = record->hashes.size;
		segment->hash = record->hashes.file;
		segment->chunk_count = record->hashes.count;
		segment->chunks = calloc(segment->chunk_count, sizeof(*segment->chunks));
		ASSERT(segment->chunks);
		memcpy(segment->chunks, record->hashes.chunks,
		       segment->chunk_count * sizeof(*segment->chunks));
		if (strcmp(segment->path, record->path) != 0)
			know_path(audit, record->path, false);
		memcpy(segment->path, record->path, sizeof(segment->path));
		break;
	}
	segment_sealed_record_release(record);
	free(record);
}

static void know_orphan(struct audit *audit, const struct leaf *leaf)
{
	struct orphan_record record;
	struct error ignored;

	if (orphan_record_decode(leaf->object, &record, &ignored) < 0)
		return;
	know_path(audit, record.path, true);
	audit->result->orphan_count++;
}

static void take_key(struct audit_volume *volume, const struct leaf *leaf)
{
	struct signing_key_record record;
	struct public_key *key = NULL;
	struct hash have, got;
	struct error ignored;

	if (signing_key_record_decode(leaf->object, &record, &ignored) < 0 ||
	    record.role != SIGNING_CHECKPOINT || volume->keys.count == CHECKPOINT_KEYS_MAX)
		return;
	hash_bytes(record.der, record.der_size, &got);
	for (size_t i = 0; i < volume->keys.count; i++) {
		public_key_fingerprint(volume->keys.keys[i], &have);
		if (memcmp(&have, &got, sizeof(have)) == 0)
			return;
	}
	if (public_key_decode(record.der, record.der_size, &key, &ignored) < 0)
		return;
	volume->owned_keys[volume->keys.count] = key;
	volume->keys.keys[volume->keys.count++] = key;
}

static void fold_leaf(struct audit_volume *volume, const struct leaf *leaf)
{
	char name[LOG_FILE_NAME_SIZE];
	struct error err;

	if (volume->fold_failed || state_apply(volume->state, leaf->object, &err) == 0)
		return;
	log_file_name(leaf->file_first, name);
	audit_report(volume->audit, volume, "ledger/%s: offset %" PRIu64 ": leaf %" PRIu64 ": %s",
		     name, leaf->offset, leaf->index, err.message);
	/* A leaf that is lost makes later ones wrong too; the first is the news. */
	volume->fold_failed = true;
}

static void on_leaf(void *context, const struct leaf *leaf)
{
	struct audit_volume *volume = context;
	struct audit *audit = volume->audit;

	fold_leaf(volume, leaf);
	if (leaf_is(leaf, "signing-key"))
		take_key(volume, leaf);
	if (volume != &audit->volumes[0])
		return;
	if (leaf_is(leaf, "segment-opened"))
		know_opened(audit, leaf);
	else if (leaf_is(leaf, "segment-sealed"))
		know_sealed(audit, leaf);
	else if (leaf_is(leaf, "orphan"))
		know_orphan(audit, leaf);
	else if (leaf_is(leaf, "void"))
		audit->result->void_count++;
}

static void on_defect(void *context, const char *file, uint64_t offset, const char *sentence)
{
	struct audit_volume *volume = context;

	audit_report(volume->audit, volume, "ledger/%s: offset %" PRIu64 ": %s", file, offset,
		     sentence);
}

/* For a second look: the first one tells. */
static void ignore_defect(void *context, const char *file, uint64_t offset, const char *sentence)
{
	(void)context;
	(void)file;
	(void)offset;
	(void)sentence;
}

/* The keys of the first leaves: the first checkpoint is looked at before its leaves are. */
static int read_first_keys(struct audit_volume *volume, struct error *err)
{
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	const struct log_reader_options options = {.on_defect = ignore_defect};
	const struct leaf *leaf;
	int r = log_reader_new(volume->ledger_fd, &options, &reader, err);

	while (r >= 0 && (r = log_reader_next(reader, &leaf, err)) > 0) {
		if (leaf_is(leaf, "signing-key"))
			take_key(volume, leaf);
		else if (!leaf_is(leaf, "void") && !leaf_is(leaf, "archive") &&
			 !leaf_is(leaf, "master"))
			break;
	}
	return r < 0 ? r : 0;
}

/* --- one volume ------------------------------------------------------------------------------ */

static int on_file(void *context, const char *path, uint64_t size, struct error *err)
{
	struct audit_volume *volume = context;

	(void)err;
	(void)size;
	volume->found = grow(volume->found, volume->found_count, &volume->found_capacity,
			     sizeof(*volume->found));
	snprintf(volume->found[volume->found_count++], sizeof(*volume->found), "%s", path);
	return 0;
}

static int open_volume(struct audit_volume *volume, struct error *err)
{
	int r = directory_open(AT_FDCWD, volume->path, err);

	if (r < 0)
		return r;
	volume->root_fd = r;
	r = identity_read(volume->root_fd, &volume->identity, err);
	if (r == ERROR_NOT_FOUND)
		return error_set(err, ERROR_NOT_FOUND,
				 "'%s' holds no archive (no %s): is the volume "
				 "mounted? Else run: binvault init",
				 volume->path, IDENTITY_FILE);
	/* Not even readable as one: a defect to report, and nothing more can be said. */
	if (r == ERROR_DEFECT) {
		audit_report(volume->audit, volume, "%s", err->message);
		return ERROR_DEFECT;
	}
	if (r < 0)
		return error_prefix(err, "'%s'", volume->path);
	r = directory_open(volume->root_fd, LEDGER_DIRECTORY, err);
	if (r < 0)
		return error_prefix(err, "'%s'", volume->path);
	volume->ledger_fd = r;
	return 0;
}

static void check_archive_leaf(struct audit_volume *volume)
{
	const struct store_record *archive = state_archive(volume->state);
	const struct policy_record *policy = state_policy(volume->state);

	volume->required = policy && policy->worm == WORM_REQUIRED;
	if (!archive) {
		audit_report(volume->audit, volume, "ledger: no leaf says which archive this is");
		return;
	}
	memcpy(volume->audit->result->name, archive->name, sizeof(archive->name));
	for (size_t i = 0; i < archive->volume_count; i++) {
		if (memcmp(archive->volumes[i].id, volume->identity.volume_id, STORE_ID_SIZE) ==
			    0 &&
		    memcmp(&archive->volumes[i].hash, &volume->identity.hash, HASH_SIZE) == 0 &&
		    memcmp(archive->archive_id, volume->identity.archive_id, STORE_ID_SIZE) == 0)
			return;
	}
	audit_report(volume->audit, volume,
		     "%s: offset 0: is not the file that the archive leaf "
		     "knows",
		     IDENTITY_FILE);
}

/*
 * Bytes at an end that are no leaf or note: an append that is under way this moment, one that a
 * power cut tore (the keeper names it when it starts), or damage. Only the first goes away.
 */
static int check_torn(struct audit_volume *volume, const struct ledger_verify_options *options,
		      const struct ledger_summary *first, struct error *err)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NSEC};
	struct ledger_verify_options quiet = *options;
	struct ledger_summary again;
	char name[LOG_FILE_NAME_SIZE];
	int r;

	if (first->torn.size == 0 && first->torn_checkpoint_size == 0)
		return 0;
	quiet.on_leaf = NULL;
	quiet.on_defect = ignore_defect;
	if (!volume->audit->options->copy)
		nanosleep(&moment, NULL);
	r = ledger_verify(volume->ledger_fd, &quiet, &again, err);
	if (r < 0)
		return r;
	log_file_name(first->torn.file_first, name);
	if (first->torn.size && again.torn.size && first->torn.offset == again.torn.offset)
		audit_report(volume->audit, volume,
			     "ledger/%s: offset %" PRIu64 ": %" PRIu64
			     " bytes are no leaf: " TORN_SENTENCE,
			     name, first->torn.offset, first->torn.size);
	if (first->torn_checkpoint_size && again.torn_checkpoint_size &&
	    first->torn_checkpoint_offset == again.torn_checkpoint_offset)
		audit_report(volume->audit, volume,
			     "ledger/%s: offset %" PRIu64 ": %" PRIu64
			     " bytes are no checkpoint: " TORN_SENTENCE,
			     CHECKPOINT_FILE_NAME, first->torn_checkpoint_offset,
			     first->torn_checkpoint_size);
	return 0;
}

static int audit_ledger(struct audit_volume *volume, struct error *err)
{
	struct verify_result *result = volume->audit->result;
	char archive[UUID_SIZE], id[UUID_SIZE], origin[ORIGIN_SIZE];
	const struct ledger_verify_options options = {
		.origin = origin,
		.volume = id,
		.keys = &volume->keys,
		.on_leaf = on_leaf,
		.on_defect = on_defect,
		.context = volume,
	};
	struct ledger_summary summary;
	int r;

	uuid_text(volume->identity.archive_id, archive);
	uuid_text(volume->identity.volume_id, id);
	snprintf(origin, sizeof(origin), "binvault/%s", archive);
	r = read_first_keys(volume, err);
	if (r == 0)
		r = ledger_verify(volume->ledger_fd, &options, &summary, err);
	if (r == 0)
		r = check_torn(volume, &options, &summary, err);
	if (r < 0)
		return error_prefix(err, "'%s': the ledger", volume->path);
	volume->leaf_count = summary.leaf_count;
	volume->root = summary.root;
	result->byte_count += summary.byte_count;
	if (summary.leaf_count > result->leaf_count)
		result->leaf_count = summary.leaf_count;
	result->checkpoint_count = summary.checkpoint_count;
	result->signed_count = summary.signed_size;
	result->unsigned_count = summary.leaf_count - MIN(summary.signed_size, summary.leaf_count);
	if (summary.checkpoint_count == 0 && summary.defect_count == 0)
		audit_report(volume->audit, volume,
			     "ledger/%s: no checkpoint stands in it: nothing "
			     "here is signed",
			     CHECKPOINT_FILE_NAME);
	check_archive_leaf(volume);
	return 0;
}

/* +a on directories, +i on archive.id and full ledger files, +a on the others. */
static void check_flags(struct audit_volume *volume)
{
	static const struct {
		const char *path;
		bool directory;
		enum file_protection least;
	} rows[] = {
		{IDENTITY_FILE, false, FILE_PROTECTION_IMMUTABLE},
		{LEDGER_DIRECTORY, true, FILE_PROTECTION_APPEND},
		{SEGMENTS_DIRECTORY, true, FILE_PROTECTION_APPEND},
		{LEDGER_DIRECTORY "/" CHECKPOINT_FILE_NAME, false, FILE_PROTECTION_APPEND},
	};
	struct error err;

	for (size_t i = 0; volume->required && i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(close_fdp)
		int fd = rows[i].directory ? directory_open(volume->root_fd, rows[i].path, &err)
					   : file_open_read(volume->root_fd, rows[i].path, &err);

		if (fd >= 0)
			audit_flag(volume, fd, rows[i].path, rows[i].least);
	}
}

static void check_ledger_flags(struct audit_volume *volume)
{
	const struct store_record *archive = state_archive(volume->state);
	uint64_t index = 0;
	struct error err;

	/* A file is at least as long as the archive leaf says; a void may make it longer, so the
	 * names are looked for rather than computed. */
	while (volume->required && archive && index < volume->leaf_count) {
		CLEANUP(close_fdp)
		int fd = -1;
		char name[LOG_FILE_NAME_SIZE];
		uint64_t next = index + 1;

		log_file_name(index, name);
		fd = file_open_read(volume->ledger_fd, name, &err);
		if (fd < 0)
			return;
		for (next = index + archive->leaves_per_file; next < volume->leaf_count; next++) {
			char following[LOG_FILE_NAME_SIZE];

			log_file_name(next, following);
			if (faccessat(volume->ledger_fd, following, F_OK, 0) == 0)
				break;
		}
		audit_flag(volume, fd, name,
			   next < volume->leaf_count ? FILE_PROTECTION_IMMUTABLE
						     : FILE_PROTECTION_APPEND);
		index = next;
	}
}

/* --- files that no leaf knows ---------------------------------------------------------------- */

static int compare_path(const void *a, const void *b)
{
	const struct known_path *left = a, *right = b;

	return strcmp(left->path, right->path);
}

/* A file that was created a moment ago has its leaf by now. */
static bool known_by_now(const struct audit_volume *volume, const char *path)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NSEC};
	const char *const paths[] = {volume->path};
	CLEANUP(store_freep)
	struct store *store = NULL;
	struct error ignored;
	bool known = false;

	nanosleep(&moment, NULL);
	if (store_open(paths, 1, STORE_READ, &store, &ignored) < 0)
		return false;
	for (size_t i = 0; i < state_open_count(store_state(store), NULL); i++)
		known = known ||
			strcmp(state_open_at(store_state(store), NULL, i).record->path, path) == 0;
	return known;
}

static void check_files(struct audit_volume *volume)
{
	struct audit *audit = volume->audit;
	/* Not where a leaf is damaged anyway; and once: a directory full of strangers must not cost
	 * a wait for each. */
	bool waited = audit->result->defect_count > 0;

	for (size_t i = 0; i < volume->found_count; i++) {
		char *path = volume->found[i];
		const struct known_path key = {.path = path};

		if (bsearch(&key, audit->paths, audit->path_count, sizeof(key), compare_path))
			continue;
		if (!waited && known_by_now(volume, path))
			continue;
		waited = true;
		audit_report(audit, volume, "%s: no leaf knows this file", path);
	}
	for (size_t i = 0; i < audit->path_count; i++) {
		struct error err;

		if (audit->paths[i].orphan) {
			int fd = file_open_read(volume->root_fd, audit->paths[i].path, &err);

			if (fd < 0)
				audit_report(audit, volume, "%s: the orphan is gone: %s",
					     audit->paths[i].path, err.message);
			else
				close(fd);
		}
	}
}

/* --- all of it ------------------------------------------------------------------------------- */

static int audit_volume(struct audit_volume *volume, struct error *err)
{
	int r = open_volume(volume, err);

	if (r < 0)
		return r;
	r = segment_files_walk(volume->root_fd, on_file, volume, err);
	if (r == 0)
		r = audit_ledger(volume, err);
	if (r < 0)
		return r;
	check_flags(volume);
	check_ledger_flags(volume);
	return 0;
}

static void compare_volumes(struct audit *audit)
{
	const struct audit_volume *first = &audit->volumes[0];

	for (size_t i = 1; i < audit->options->volume_count; i++) {
		const struct audit_volume *other = &audit->volumes[i];

		if (memcmp(other->identity.archive_id, first->identity.archive_id, STORE_ID_SIZE))
			audit_report(audit, other, "%s: belongs to another archive than that of %s",
				     IDENTITY_FILE, first->path);
		else if (other->leaf_count != first->leaf_count)
			audit_report(audit, other, "ledger: %" PRIu64 " leaves, %s has %" PRIu64,
				     other->leaf_count, first->path, first->leaf_count);
		else if (memcmp(&other->root, &first->root, sizeof(first->root)) != 0)
			audit_report(audit, other, "ledger: its leaves differ from those of %s",
				     first->path);
	}
}

static void count_segments(struct audit *audit)
{
	size_t volumes = audit->options->volume_count;

	audit->byte_total = audit->result->byte_count;
	audit->buffer_size = BLOCK_SIZE_MAX;
	for (size_t i = 0; i < audit->segment_count; i++) {
		uint64_t size = audit->segments[i]->size;

		if (!audit->segments[i]->sealed) {
			audit->result->open_count++;
			continue;
		}
		audit->result->segment_count += volumes;
		audit->byte_total += size * volumes;
		size = round_up(MIN(size, SEGMENT_CHUNK_SIZE), BLOCK_SIZE_MAX);
		audit->buffer_size = MAX(audit->buffer_size, (size_t)size);
	}
	if (audit->path_count)
		qsort(audit->paths, audit->path_count, sizeof(*audit->paths), compare_path);
}

static int run(struct audit *audit, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < audit->options->volume_count; i++)
		r = audit_volume(&audit->volumes[i], err);
	if (r < 0)
		return r;
	memcpy(audit->result->archive_id, audit->volumes[0].identity.archive_id, STORE_ID_SIZE);
	compare_volumes(audit);
	count_segments(audit);
	for (size_t i = 0; i < audit->options->volume_count; i++)
		check_files(&audit->volumes[i]);
	return audit_segments(audit, err);
}

static void audit_init(struct audit *audit, const struct verify_options *options,
		       struct verify_result *result)
{
	audit->options = options;
	audit->result = result;
	pthread_mutex_init(&audit->lock, NULL);
	pthread_cond_init(&audit->changed, NULL);
	for (size_t i = 0; i < CONFIG_VOLUMES_MAX; i++) {
		audit->volumes[i].audit = audit;
		audit->volumes[i].root_fd = audit->volumes[i].ledger_fd = -1;
		audit->volumes[i].state = state_new();
		if (i < options->volume_count)
			audit->volumes[i].path = options->volumes[i];
	}
}

static void audit_release(struct audit *audit)
{
	for (size_t i = 0; i < CONFIG_VOLUMES_MAX; i++) {
		struct audit_volume *volume = &audit->volumes[i];

		close_fdp(&volume->root_fd);
		close_fdp(&volume->ledger_fd);
		state_free(volume->state);
		for (size_t j = 0; j < volume->keys.count; j++)
			public_key_free(volume->owned_keys[j]);
		free(volume->found);
	}
	for (size_t i = 0; i < audit->segment_count; i++) {
		free(audit->segments[i]->chunks);
		free(audit->segments[i]);
	}
	for (size_t i = 0; i < audit->path_count; i++)
		free(audit->paths[i].path);
	free(audit->segments);
	free(audit->paths);
	pthread_cond_destroy(&audit->changed);
	pthread_mutex_destroy(&audit->lock);
}

int store_verify(const struct verify_options *options, struct verify_result *ret_result,
		 struct error *err)
{
	uint64_t begin = clock_monotonic_usec();
	struct verify_result result = {0};
	struct audit audit = {0};
	int r;

	if (options->volume_count < 1 || options->volume_count > CONFIG_VOLUMES_MAX)
		return error_set(err, ERROR_USAGE, "%zu archive directories, 1 to %d are possible",
				 options->volume_count, CONFIG_VOLUMES_MAX);
	audit_init(&audit, options, &result);
	r = run(&audit, err);
	audit_release(&audit);
	/* A defect was told that leaves nothing else to look at. */
	if (r == ERROR_DEFECT && result.defect_count > 0)
		r = 0;
	if (r < 0)
		return error_prefix(err, "verifying");
	result.duration_usec = clock_monotonic_usec() - begin;
	*ret_result = result;
	return 0;
}
