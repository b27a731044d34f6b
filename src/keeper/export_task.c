#include "keeper/export_task.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "keeper/export_manifest.h"
#include "keeper/periods.h"
#include "keeper/share.h"
#include "protocol/manifest.h"
#include "store/gtids_field.h"
#include "store/segment_file.h"

#define CONNECT_PATIENCE_USEC (30 * USEC_PER_SEC)
#define HSM_PATIENCE_USEC     (20 * USEC_PER_SEC) /* it may be starting again */
/* binvault-export says something four times a second, but the fsync of a large file takes long. */
#define READ_PATIENCE_USEC (600 * USEC_PER_SEC)

static void advance(struct export_task *task);

static bool restores(const struct export_task *task)
{
	return task->request.kind == REQUEST_RESTORE;
}

struct export_task *export_task_new(struct keeper *keeper, gid_t gid,
				    const struct request_record *request,
				    void (*ended)(void *context, struct export_task *task),
				    void *context)
{
	struct export_task *task = calloc(1, sizeof(*task));

	ASSERT(task);
	task->keeper = keeper;
	task->gid = gid;
	task->request = *request;
	task->ended = ended;
	task->context = context;
	task->fd = -1;
	task->directory_fd = -1;
	task->started_usec = clock_monotonic_usec();
	task->defects = json_array();
	ASSERT(task->defects);
	return task;
}

/* Nothing will call back any more. */
static void disconnect(struct export_task *task)
{
	loop_timer_clear(task->keeper->loop, &task->patience);
	if (task->keeper->periods)
		periods_cancel(task->keeper->periods, task);
	if (task->keeper->hsm)
		hsm_client_cancel(task->keeper->hsm, task);
	if (task->fd >= 0) {
		loop_unwatch(task->keeper->loop, task->fd);
		close(task->fd);
	}
	task->fd = -1;
	message_release(&task->message);
	secret_release(&task->key);
	task->key = (struct secret){0};
}

void export_task_free(struct export_task *task)
{
	if (!task)
		return;
	disconnect(task);
	close_fdp(&task->directory_fd);
	export_plan_free(task->plan);
	if (task->body)
		munmap((void *)(uintptr_t)task->body, task->body_size);
	json_decref(task->defects);
	json_decref(task->files);
	free(task);
}

/* --- the end --------------------------------------------------------------------------------- */

/* Printable ASCII, cut: what a leaf may hold. */
static void leaf_sentence(const char *sentence, char text[static REQUEST_TEXT_SIZE])
{
	size_t used = 0;

	for (; *sentence && used < REQUEST_TEXT_SIZE - 1; sentence++)
		text[used++] = *sentence >= 0x20 && *sentence < 0x7f ? *sentence : '?';
	text[used] = '\0';
}

static int append_failed(struct export_task *task, const char *sentence, struct error *err)
{
	struct export_failed_record record = {0};

	memcpy(record.request, task->request.id, sizeof(record.request));
	leaf_sentence(sentence, record.sentence);
	return keeper_append(task->keeper, export_failed_record_encode(&record), err);
}

static void announce(struct export_task *task)
{
	task->stage = EXPORT_ENDED;
	task->ended_usec = clock_monotonic_usec();
	disconnect(task);
	if (task->failure.code)
		log_warning("export.failed", "request", LOG_TEXT(task->request.id), "reason",
			    LOG_TEXT(task->failure.message), LOG_END);
	else
		log_info("export.done", "request", LOG_TEXT(task->request.id), "segments",
			 LOG_NUMBER(task->read_count), "defects", LOG_NUMBER(task->defect_count),
			 "files", LOG_NUMBER(task->result.file_count), "bytes",
			 LOG_NUMBER(task->result.byte_count), "duration_usec",
			 LOG_NUMBER(task->ended_usec - task->started_usec), LOG_END);
	task->ended(task->context, task);
}

static void remove_partial(struct export_task *task)
{
	struct error err = {0};

	if (task->partial &&
	    export_directory_remove(task->keeper->config, &task->request, &err) < 0)
		log_warning("export.leftover", "request", LOG_TEXT(task->request.id), "reason",
			    LOG_TEXT(err.message), LOG_END);
	task->partial = false;
}

/* Frees the task. First the directory goes, then the leaf says so. */
static void fail(struct export_task *task, const struct error *reason)
{
	struct error err = {0};

	task->failure = *reason;
	if (task->failure.code == ERROR_CLOSED)
		task->failure.code = ERROR_UNAVAILABLE;
	disconnect(task);
	remove_partial(task);
	if (append_failed(task, task->failure.message, &err) < 0)
		log_warning("export.leaf", "request", LOG_TEXT(task->request.id), "reason",
			    LOG_TEXT(err.message), LOG_END);
	announce(task);
}

/* All is done but the leaf. Frees the task. */
static void succeed(struct export_task *task)
{
	struct error err = {0};
	char sentence[REQUEST_TEXT_SIZE];
	int r;

	memcpy(task->exported.request, task->request.id, sizeof(task->exported.request));
	share_fill(&task->request, &task->exported);
	if (task->defect_count > 0) {
		snprintf(sentence, sizeof(sentence), "%" PRIu64 " of %zu segments have a defect",
			 task->defect_count, export_plan_count(task->plan));
		r = append_failed(task, sentence, &err);
	} else {
		r = keeper_append(task->keeper, exported_record_encode(&task->exported), &err);
	}
	if (r < 0)
		task->failure = err;
	else
		share_schedule(task->keeper);
	announce(task);
}

static void out_of_patience(void *context)
{
	struct export_task *task = context;
	struct error reason;

	if (task->stage == EXPORT_KEY || task->stage == EXPORT_SIGNING)
		error_set(&reason, ERROR_UNAVAILABLE, "binvault-hsm is away: %.600s",
			  hsm_client_connected(task->keeper->hsm)
				  ? "it does not answer"
				  : hsm_client_sentence(task->keeper->hsm));
	else
		error_set(&reason, ERROR_UNAVAILABLE, "binvault-export does not answer");
	fail(task, &reason);
}

static void await(struct export_task *task, enum export_stage stage, uint64_t patience_usec)
{
	task->stage = stage;
	loop_timer_set(task->keeper->loop, &task->patience, patience_usec, out_of_patience, task);
}

/* --- the manifest ---------------------------------------------------------------------------- */

static const struct signing_key_record *manifest_key(const struct export_task *task)
{
	return state_signing_key(store_state(task->keeper->store), SIGNING_MANIFEST);
}

static int send_manifest(struct export_task *task, const struct hsm_signature *answer,
			 struct error *err)
{
	struct export_manifest manifest = {.signature_size = answer->signature_size};
	int r = export_manifest_verify(task->body, task->body_size, manifest_key(task),
				       answer->signature, answer->signature_size,
				       &manifest.key_fingerprint, err);

	if (r == 0 && task->request.form == REQUEST_TAR)
		r = export_directory_write_key(task->directory_fd, manifest_key(task), err);
	if (r < 0)
		return r;
	memcpy(manifest.signature, answer->signature, answer->signature_size);
	memcpy(task->exported.signature, answer->signature, answer->signature_size);
	task->exported.signature_size = answer->signature_size;
	task->exported.key_fingerprint = manifest.key_fingerprint;
	return export_manifest_send(task->fd, &manifest, err);
}

static void on_signature(void *owner, const struct hsm_signature *answer,
			 const struct error *reason)
{
	struct export_task *task = owner;
	struct error err;

	if (!answer) {
		fail(task, reason);
		return;
	}
	if (send_manifest(task, answer, &err) < 0)
		fail(task, &err);
	else
		await(task, EXPORT_COMMITTING, READ_PATIENCE_USEC);
}

static int take_files(struct export_task *task, struct error *err)
{
	json_t *object = NULL;
	int r = json_parse_canonical(task->body, task->body_size, &object, err);

	if (r < 0)
		return r;
	task->files = json_incref(json_object_get(object, "files"));
	json_decref(object);
	return 0;
}

/* What it says is what was asked, and only then the HSM signs it. */
static int take_body(struct export_task *task, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct hash hash;
	int r;

	if (task->message.fd_count != 1)
		return error_set(err, ERROR_DEFECT, "RESULT of a restore without a manifest");
	if (!manifest_key(task))
		return error_set(err, ERROR_DEFECT, "no leaf names a key for manifests");
	fd = message_take_fd(&task->message, 0);
	r = channel_body_map(fd, MANIFEST_BODY_SIZE_MAX, &task->body, &task->body_size, err);
	if (r < 0)
		return r;
	hash_bytes(task->body, task->body_size, &hash);
	if (memcmp(hash.bytes, task->result.body_hash.bytes, HASH_SIZE) != 0)
		return error_set(err, ERROR_DEFECT, "the manifest is not the one in RESULT");
	r = export_manifest_check(task->body, task->body_size, &task->request, task->plan,
				  task->read_count, &task->result, err);
	if (r == 0)
		r = export_manifest_read(task->body, task->body_size, &task->request,
					 &task->exported, err);
	return r < 0 ? r : take_files(task, err);
}

static void ask_signature(struct export_task *task)
{
	CLEANUP(freep)
	uint8_t *pae = NULL;
	struct hsm_sign_manifest request;
	size_t size;

	pae = manifest_pae(task->body, task->body_size, &size);
	hash_bytes(pae, size, &request.pae);
	await(task, EXPORT_SIGNING, HSM_PATIENCE_USEC);
	hsm_client_sign_manifest(task->keeper->hsm, &request, on_signature, task);
}

static void on_result(struct export_task *task)
{
	struct error err;
	int r = export_result_decode(&task->message, &task->result, &err);

	if (r == 0 && restores(task))
		r = take_body(task, &err);
	if (r < 0) {
		fail(task, &err);
		return;
	}
	if (restores(task)) {
		ask_signature(task);
		return;
	}
	task->exported.segment_count = task->read_count;
	task->exported.byte_count = task->result.byte_count;
	succeed(task);
}

static void on_committed(struct export_task *task)
{
	struct error err;
	int r = message_expect_empty(&task->message, MESSAGE_EXPORT_COMMITTED, &err);

	if (r == 0)
		r = export_directory_publish(task->keeper->config, &task->request,
					     task->directory_fd, manifest_key(task), &err);
	if (r < 0) {
		fail(task, &err);
		return;
	}
	/* Of a tar it stands there still, empty. */
	task->partial = task->request.form == REQUEST_TAR;
	remove_partial(task);
	succeed(task);
}

/* --- segments -------------------------------------------------------------------------------- */

static void note_defect(struct export_task *task, const struct error *reason)
{
	const struct plan_segment *segment = export_plan_at(task->plan, task->position);
	char sentence[REQUEST_TEXT_SIZE];
	json_t *defect;

	if (task->defect_count++ >= EXPORT_DEFECTS_MAX)
		return;
	leaf_sentence(reason->message, sentence);
	defect = json_object();
	ASSERT(defect);
	json_put_string(defect, "path", segment->path);
	json_put_u64(defect, "leaf", segment->leaf_index);
	json_put_u64(defect, "code", (uint64_t)-reason->code);
	json_put_string(defect, "sentence", sentence);
	json_array_append_new(task->defects, defect);
}

static void segment_over(struct export_task *task)
{
	task->done_size += export_plan_at(task->plan, task->position)->file_size;
	task->progress.byte_count = task->done_size;
	task->position++;
}

/* Does a verification go on after this? */
static bool is_of_segment(const struct export_task *task, int code)
{
	return !restores(task) && (code == ERROR_DEFECT || code == ERROR_IO ||
				   code == ERROR_NOT_FOUND || code == ERROR_REFUSED);
}

static void on_key(void *owner, const struct secret *key, const struct error *reason)
{
	struct export_task *task = owner;

	task->fetching = false;
	task->key_error = (struct error){0};
	if (!key)
		task->key_error = *reason;
	else if (secret_init(&task->key, key->size, &task->key_error) == 0)
		memcpy(task->key.bytes, key->bytes, key->size);
	if (!task->advancing)
		advance(task);
}

/* 1: there; 0: on_key() will say; negative: it cannot be had. */
static int have_key(struct export_task *task, struct error *err)
{
	const struct period_record *period = export_plan_period(task->plan, task->position);
	bool asked;

	if (!period)
		return error_set(err, ERROR_DEFECT, "no leaf names its period");
	asked = memcmp(task->key_period, period->id, STORE_ID_SIZE) == 0;
	if (!asked) {
		secret_release(&task->key);
		task->key = (struct secret){0};
		memcpy(task->key_period, period->id, STORE_ID_SIZE);
		task->fetching = true;
		await(task, EXPORT_KEY, HSM_PATIENCE_USEC);
		periods_fetch(task->keeper->periods, period, on_key, task);
	}
	if (task->fetching)
		return 0;
	if (task->key_error.code) {
		*err = task->key_error;
		return err->code;
	}
	return 1;
}

/* The binlog file's name, behind its generation's number where there are several: two servers, or
 * one that was reset, give the same names. */
static int name_output(const struct export_task *task, const struct plan_segment *segment,
		       char name[static BINLOG_NAME_MAX + 1], struct error *err)
{
	const struct plan *plan = export_plan_source(task->plan);
	int length = plan && plan_generation_count(plan) > 1
			     ? snprintf(name, BINLOG_NAME_MAX + 1, "%zu.%s",
					segment->generation_index + 1, segment->binlog_file)
			     : snprintf(name, BINLOG_NAME_MAX + 1, "%s", segment->binlog_file);

	if (length > BINLOG_NAME_MAX)
		return error_set(err, ERROR_REFUSED,
				 "%s: the name is too long for a restore of several generations. "
				 "Do: --generation, one after the other",
				 segment->binlog_file);
	return 0;
}

/* Is the limit about this segment's file? A position is one of the last file that is read. */
static bool is_limited(const struct export_task *task, const struct plan_segment *segment)
{
	size_t count = export_plan_count(task->plan);
	const struct plan_segment *last = export_plan_at(task->plan, count - 1);

	return task->request.limit != REQUEST_LIMIT_POSITION ||
	       (segment->generation_index == last->generation_index &&
		memcmp(&segment->file_id, &last->file_id, HASH_SIZE) == 0);
}

static int send_segment(struct export_task *task, struct error *err)
{
	const struct plan_segment *segment = export_plan_at(task->plan, task->position);
	struct export_segment wanted = {
		.file_hash = segment->file_hash,
		.file_size = segment->file_size,
		.start_position = segment->start_position,
		.good_end = segment->end.summary.event_end,
		.leaf_index = segment->leaf_index,
		.last_of_file = segment->last_of_file,
		.limited = is_limited(task, segment),
	};
	struct secret key = {0};
	/* A verification is about what the device gives, not about what the cache remembers. */
	CLEANUP(close_fdp)
	int fd = segment_file_open(task->keeper->store, 0, segment->path,
				   restores(task) ? SEGMENT_BUFFERED : SEGMENT_DIRECT, err);
	int r = fd < 0 ? fd : 0;

	/* The leaf is there, so the file must be. */
	if (r == ERROR_NOT_FOUND)
		r = err->code = ERROR_DEFECT;
	memcpy(wanted.header, segment->header_bytes, SEGMENT_HEADER_SIZE);
	if (r == 0)
		r = name_output(task, segment, wanted.name, err);
	if (r == 0)
		r = segment_key_derive(&task->key, segment->header_bytes, &key, err);
	if (r < 0)
		return r;
	memcpy(wanted.key, key.bytes, sizeof(wanted.key));
	secret_release(&key);
	r = export_segment_send(task->fd, &wanted, fd, err);
	secret_wipe(wanted.key, sizeof(wanted.key));
	return r;
}

static void finish(struct export_task *task)
{
	struct error err;

	if (export_finish_send(task->fd, &err) < 0)
		fail(task, &err);
	else
		await(task, EXPORT_FINISHING, READ_PATIENCE_USEC);
}

/* The next segment goes out, or we wait for its key, or all is read. May free the task. */
static void advance(struct export_task *task)
{
	struct error err = {0};
	int r = 0;

	task->advancing = true;
	while (task->position < export_plan_count(task->plan) && !task->limit_reached) {
		r = restores(task) ? export_plan_gap(task->plan, task->position, &err) : 0;
		if (r == 0)
			r = have_key(task, &err);
		if (r > 0)
			r = send_segment(task, &err) < 0 ? err.code : 1;
		if (r >= 0 || !is_of_segment(task, r))
			break;
		note_defect(task, &err);
		segment_over(task);
	}
	task->advancing = false;
	if (r < 0 && !is_of_segment(task, r)) {
		if (task->position < export_plan_count(task->plan))
			error_prefix(&err, "segment '%.200s'",
				     export_plan_at(task->plan, task->position)->path);
		fail(task, &err);
		return;
	}
	if (task->position == export_plan_count(task->plan) || task->limit_reached)
		finish(task);
	else if (r > 0)
		await(task, EXPORT_READING, READ_PATIENCE_USEC);
}

static int take_done(struct export_task *task, struct error *err)
{
	const struct plan_segment *segment = export_plan_at(task->plan, task->position);
	struct export_segment_done done;
	struct error reason;
	int r = export_segment_done_decode(&task->message, &done, err);

	if (r < 0)
		return r;
	if (done.code == 0 && done.good_end != segment->end.summary.event_end)
		return error_set(err, ERROR_DEFECT,
				 "what binvault-export read of '%.200s' is not what was planned",
				 segment->path);
	task->limit_reached = done.limit_reached;
	if (done.code < 0) {
		error_set(&reason, done.code, "%s", done.sentence);
		if (restores(task)) {
			*err = reason;
			return err->code;
		}
		note_defect(task, &reason);
	}
	task->read_count++;
	segment_over(task);
	return 0;
}

static void on_reading(struct export_task *task)
{
	struct error err;

	if (task->message.type == MESSAGE_EXPORT_PROGRESS) {
		if (export_progress_decode(&task->message, &task->progress, &err) < 0)
			fail(task, &err);
		else
			await(task, EXPORT_READING, READ_PATIENCE_USEC);
		return;
	}
	if (message_expect(&task->message, MESSAGE_EXPORT_SEGMENT_DONE, &err) < 0) {
		if (task->position < export_plan_count(task->plan))
			error_prefix(&err, "segment '%.200s'",
				     export_plan_at(task->plan, task->position)->path);
		fail(task, &err);
	} else if (take_done(task, &err) < 0) {
		fail(task, &err);
	} else {
		advance(task);
	}
}

/* --- the connection -------------------------------------------------------------------------- */

static int send_begin(struct export_task *task, struct error *err)
{
	const struct request_record *request = &task->request;
	struct export_begin begin = {
		.kind = restores(task) ? EXPORT_RESTORE : EXPORT_VERIFY,
		.form = request->form == REQUEST_TAR ? EXPORT_TAR : EXPORT_FILES,
		.limit = (enum export_limit)request->limit,
		.limit_usec = request->limit_usec,
		.limit_position = request->limit_position,
		.segment_count = export_plan_count(task->plan),
		.byte_count = export_plan_byte_count(task->plan),
	};

	memcpy(begin.limit_file, request->limit_file, sizeof(begin.limit_file));
	memcpy(begin.source, request->source, sizeof(begin.source));
	memcpy(begin.to, request->to, sizeof(begin.to));
	memcpy(begin.request, request->id, sizeof(begin.request));
	uuid_text(store_archive_id(task->keeper->store), begin.archive);
	snprintf(begin.worm, sizeof(begin.worm), "%s",
		 store_worm(task->keeper->store) == WORM_REQUIRED ? "required" : "advisory");
	return export_begin_send(task->fd, &begin, task->directory_fd, err);
}

static void on_hello(struct export_task *task)
{
	struct hello theirs;
	struct error err;
	int r = message_expect(&task->message, MESSAGE_HELLO, &err);

	if (r == 0)
		r = hello_decode(&task->message, &theirs, &err);
	if (r == 0)
		r = send_begin(task, &err);
	if (r < 0)
		fail(task, &err);
	else
		advance(task);
}

static void on_message(struct export_task *task)
{
	struct error err;

	/* Whatever is expected, it may be a FAILURE. */
	if (task->message.type == MESSAGE_FAILURE && task->stage != EXPORT_READING) {
		if (message_expect(&task->message, MESSAGE_HELLO, &err) < 0)
			fail(task, &err);
		return;
	}
	switch (task->stage) {
	case EXPORT_CONNECTING:
		on_hello(task);
		break;
	case EXPORT_READING:
		on_reading(task);
		break;
	case EXPORT_FINISHING:
		on_result(task);
		break;
	case EXPORT_COMMITTING:
		on_committed(task);
		break;
	case EXPORT_PLANNING:
	case EXPORT_KEY:
	case EXPORT_SIGNING:
	case EXPORT_ENDED:
	default:
		error_set(&err, ERROR_DEFECT, "binvault-export spoke when it was not asked");
		fail(task, &err);
	}
}

static void on_readable(void *context, int fd)
{
	struct export_task *task = context;
	struct error err;
	int r;

	message_release(&task->message);
	r = message_receive(fd, &task->message, &err);
	if (r == ERROR_BUSY)
		return;
	if (r == 0)
		r = error_set(&err, ERROR_UNAVAILABLE,
			      "binvault-export ended before its work was done (its log says why); "
			      "nothing is left of it, try again");
	if (r < 0)
		fail(task, &err);
	else
		on_message(task);
}

static int connect_exporter(struct export_task *task, struct error *err)
{
	char path[CONFIG_SOCKET_PATH_SIZE];
	int r = config_socket(task->keeper->config, "export", path, err);

	if (r < 0)
		return r;
	task->fd = channel_connect(path, err);
	if (task->fd < 0)
		return error_prefix(err, "binvault-export cannot be reached");
	if (fcntl(task->fd, F_SETFL, O_NONBLOCK) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "the connection");
	r = loop_watch(task->keeper->loop, task->fd, on_readable, task, err);
	return r < 0 ? r : hello_send(task->fd, &task->keeper->hello, err);
}

/* --- the plan -------------------------------------------------------------------------------- */

static struct export_task *of_job(struct loop_job *job)
{
	return (struct export_task *)(void *)((char *)job - offsetof(struct export_task, job));
}

static void make_plan(struct loop_job *job)
{
	struct export_task *task = of_job(job);

	if (export_plan_make(task->keeper->config, &task->request, &task->plan, &task->plan_error) <
	    0)
		task->plan = NULL;
}

static void on_plan(struct loop_job *job)
{
	struct export_task *task = of_job(job);
	struct error err = {0};
	int r = 0;

	if (!task->plan) {
		fail(task, &task->plan_error);
		return;
	}
	if (restores(task)) {
		task->directory_fd = export_directory_make(task->keeper->config, &task->request,
							   task->gid, &err);
		r = task->directory_fd < 0 ? task->directory_fd : 0;
		task->partial = r == 0;
	}
	if (r == 0)
		r = connect_exporter(task, &err);
	if (r < 0)
		fail(task, &err);
	else
		await(task, EXPORT_CONNECTING, CONNECT_PATIENCE_USEC);
}

void export_task_start(struct export_task *task)
{
	task->job = (struct loop_job){.run = make_plan, .done = on_plan};
	loop_job_submit(task->keeper->loop, &task->job);
}

/* --- what is said of it ---------------------------------------------------------------------- */

/* For the replay: which program, and what a generation may hold of the one before. */
static json_t *report_generations(const struct export_task *task)
{
	const struct plan *plan = export_plan_source(task->plan);
	json_t *list = json_array();

	for (size_t i = 0; i < plan_generation_count(plan); i++) {
		const struct plan_generation *generation = plan_generation_at(plan, i);
		json_t *object = json_object();

		json_put_hex(object, "generation", generation->generation.bytes, HASH_SIZE);
		json_put_hex(object, "identity", generation->identity, SEGMENT_IDENTITY_SIZE);
		json_put_bool(object, "overlaps", generation->overlaps && i > 0);
		if (generation->overlaps && i > 0)
			field_put_snapshot(object, "skip",
					   &plan_generation_at(plan, i - 1)->gtids_archived);
		json_array_append_new(list, object);
	}
	return list;
}

static void report_end(const struct export_task *task, json_t *report)
{
	const struct exported_record *exported = &task->exported;
	char path[EXPORT_PATH_SIZE], name[EXPORT_FILE_NAME_SIZE];

	json_put_u64(report, "binlog_bytes", task->result.byte_count);
	json_put_u64(report, "segment_count", task->read_count);
	json_put_u64(report, "defect_count", task->defect_count);
	json_put(report, "defects", json_incref(task->defects));
	json_put(report, "crc_wrong", export_plan_crc_wrong(task->plan, task->read_count));
	if (!restores(task))
		return;
	export_directory_path(task->keeper->config, &task->request, path);
	export_directory_name(&task->request, name);
	json_put_string(report, "path", path);
	json_put_string(report, "to", task->request.to);
	json_put_string(report, "name", name);
	json_put_u64(report, "file_count", exported->file_count);
	json_put_string(report, "until_file", exported->until_file);
	json_put_u64(report, "until_position", exported->until_position);
	json_put_u64(report, "until_usec", exported->until_usec);
	json_put_bool(report, "limit_reached", task->limit_reached);
	json_put_hex(report, "fingerprint", exported->key_fingerprint.bytes, HASH_SIZE);
	json_put(report, "files", json_incref(task->files));
	json_put(report, "generations", report_generations(task));
}

json_t *export_task_report(const struct export_task *task)
{
	json_t *report = json_object();
	bool ended = task->stage == EXPORT_ENDED;
	uint64_t until = ended ? task->ended_usec : clock_monotonic_usec();
	const char *state = ended && task->failure.code	     ? "failed"
			    : ended			     ? "done"
			    : task->stage == EXPORT_PLANNING ? "planning"
							     : "running";

	ASSERT(report);
	json_put_string(report, "request", task->request.id);
	json_put_string(report, "state", state);
	json_put_u64(report, "elapsed_usec", until - task->started_usec);
	json_put_u64(report, "byte_count", MAX(task->done_size, task->progress.byte_count));
	json_put_u64(report, "byte_total", task->plan ? export_plan_byte_count(task->plan) : 0);
	json_put_u64(report, "file_count", task->progress.file_count);
	if (ended && task->failure.code) {
		char sentence[ERROR_MESSAGE_SIZE];
		json_t *failure = json_object();

		ASSERT(failure);
		leaf_sentence(task->failure.message, sentence);
		json_put_u64(failure, "code", (uint64_t)-task->failure.code);
		json_put_string(failure, "sentence", sentence);
		json_put(report, "failure", failure);
	} else if (ended) {
		report_end(task, report);
	}
	return report;
}
