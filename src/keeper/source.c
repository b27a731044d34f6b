#include "keeper/source.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "keeper/damage.h"
#include "keeper/opening.h"
#include "keeper/pause.h"
#include "keeper/periods.h"
#include "keeper/preflight.h"
#include "store/segment_file.h"
#include "volume/frame.h"

#define COVERED_EVERY_USEC (60 * USEC_PER_SEC)
#define CONTROL_EVERY_USEC USEC_PER_SEC

/* How long ATTACH waits for a key before the tail counts as pending, and for a writer to end. */
#define KEY_PATIENCE_USEC   (5 * USEC_PER_SEC)
#define QUIET_PATIENCE_USEC (10 * USEC_PER_SEC)

/* --- where pulling goes on ------------------------------------------------------------------- */

/* Does the file end where the last event is? Then pulling goes on in the next. */
static void resume_ended(struct source *source)
{
	struct attached *resume = &source->resume;

	if (resume->kind != ATTACHED_RESUME ||
	    strcmp(resume->binlog_file, source->ended.binlog_file) != 0 ||
	    resume->good_end != source->ended.position)
		return;
	resume->kind = ATTACHED_NEXT;
	memcpy(resume->next_file, source->ended.next_file, sizeof(resume->next_file));
}

/* The later one of a file counts; one that was opened before says less, whenever it is sealed. */
static void whole_take(struct source *source, const struct segment_sealed_record *record)
{
	if (record->end.summary.transaction_count == 0 ||
	    record->opened_index < source->whole.opened_index)
		return;
	source->whole.opened_index = record->opened_index;
	source->whole.file_id = record->file_id;
	source->whole.position = record->end.summary.transaction_end;
}

/*
 * A segment in which no transaction ended does not know: one before it may. Where that is not
 * sealed, an earlier end is as true, if later to reach, and at worst the file's beginning.
 */
static void resume_whole(struct source *source)
{
	struct attached *resume = &source->resume;
	bool same_file = memcmp(source->whole.file_id.bytes, resume->file_id.bytes, HASH_SIZE) == 0;

	resume->transaction_end = same_file ? source->whole.position : ATTACHED_FIRST_POSITION;
}

/* It needs no segment before it to say where pulling goes on. */
static bool says_all(const struct segment_sealed_record *record)
{
	return record->end.summary.transaction_count > 0 ||
	       (record->end.summary.event_count > 0 &&
		record->start_position == ATTACHED_FIRST_POSITION);
}

/*
 * A segment without an event has no last event to compare: the one before it counts, and from an
 * empty one only that its file ended there. They may be sealed in any order.
 */
static void resume_take(struct source *source, const struct segment_sealed_record *record)
{
	struct attached *resume = &source->resume;
	const struct segment_summary *summary = &record->end.summary;

	if (summary->event_count == 0 && record->end.next_file[0]) {
		memcpy(source->ended.binlog_file, record->binlog_file, sizeof(record->binlog_file));
		memcpy(source->ended.next_file, record->end.next_file,
		       sizeof(record->end.next_file));
		source->ended.position = record->start_position;
		resume_ended(source);
	}
	whole_take(source, record);
	if (resume->kind != ATTACHED_START && record->opened_index < source->resume_index) {
		resume_whole(source);
		return;
	}
	if (summary->event_count == 0)
		return;
	source->resume_index = record->opened_index;
	memset(resume, 0, sizeof(*resume));
	resume->kind = record->end.next_file[0] ? ATTACHED_NEXT : ATTACHED_RESUME;
	memcpy(resume->identity, record->identity, SEGMENT_IDENTITY_SIZE);
	resume->generation = record->generation;
	resume->file_id = record->file_id;
	memcpy(resume->binlog_file, record->binlog_file, sizeof(resume->binlog_file));
	memcpy(resume->next_file, record->end.next_file, sizeof(resume->next_file));
	resume->good_end = summary->event_end;
	resume->last_event_position = summary->last_event_position;
	resume->last_event_crc = summary->last_event_crc;
	resume->gtids = record->gtids_archived;
	resume_whole(source);
	coverage_sealed(source, summary->transaction_last_usec, clock_realtime_usec());
	resume_ended(source);
}

static int resume_leaf(void *context, const struct leaf *leaf, struct error *err)
{
	struct source *source = context;
	struct segment_sealed_record record;
	int r;

	if (!leaf_is(leaf, record_type_name(RECORD_SEGMENT_SEALED)))
		return 0;
	r = segment_sealed_record_decode(leaf->object, &record, err);
	if (r < 0)
		return r;
	if (strcmp(record.source, source->config->name) == 0)
		resume_take(source, &record);
	segment_sealed_record_release(&record);
	return 0;
}

static int resume_find(struct source *source, struct error *err)
{
	const struct store *store = source->keeper->store;
	const struct segment_sealed_record *newest =
		state_sealed(store_state(store), source->config->name, NULL);

	if (!newest)
		return 0;
	if (says_all(newest)) {
		resume_take(source, newest);
		return 0;
	}
	return store_leaves(store, resume_leaf, source, err);
}

/* --- segments -------------------------------------------------------------------------------- */

struct sealing *source_add(struct source *source, uint64_t opened_index,
			   const struct segment_opened_record *record)
{
	struct sealing *sealing = sealing_new(source, opened_index, record), **last;

	for (last = &source->sealings; *last; last = &(*last)->next)
		;
	*last = sealing;
	return sealing;
}

static struct sealing *find(const struct source *source, const uint8_t *segment_id)
{
	struct sealing *sealing = source->sealings;

	while (sealing &&
	       memcmp(sealing->record.header.segment_id, segment_id, SEGMENT_ID_SIZE) != 0)
		sealing = sealing->next;
	return sealing;
}

/* Nobody holds what is still WRITING. sealing_begin() may free the one that it is called for. */
static void begin_all(struct source *source)
{
	struct sealing *sealing = source->sealings, *next;

	for (; sealing; sealing = next) {
		next = sealing->next;
		sealing_begin(sealing);
	}
}

void source_sealed(struct source *source, struct sealing *sealing,
		   const struct segment_sealed_record *record)
{
	struct sealing **link = &source->sealings;

	quota_sealed(source, record->end.summary.event_end - record->start_position,
		     clock_realtime_usec());
	resume_take(source, record);
	damage_sealed(source, record);
	while (*link != sealing)
		link = &(*link)->next;
	*link = sealing->next;
	sealing_free(sealing);
	source_changed(source);
}

/* --- the connection -------------------------------------------------------------------------- */

static void disconnect(struct source *source, const char *reason)
{
	if (source->fd < 0)
		return;
	log_info("puller.gone", "source", LOG_TEXT(source->config->name), "reason",
		 LOG_TEXT(reason), LOG_END);
	loop_unwatch(source->keeper->loop, source->fd);
	close(source->fd);
	source->fd = -1;
	source->stage = SOURCE_AWAY;
	source->has_status = false;
	loop_timer_clear(source->keeper->loop, &source->attach_timer);
	spans_no_puller(source);
	begin_all(source);
}

/* The sentence goes to the puller and stays for status. */
static int refuse(struct source *source, const struct error *reason, struct error *err)
{
	log_warning("puller.refused", "source", LOG_TEXT(source->config->name), "reason",
		    LOG_TEXT(reason->message), LOG_END);
	snprintf(source->refusal, sizeof(source->refusal), "%.511s", reason->message);
	return message_send_failure(source->fd, reason, err);
}

/* --- whether it is pulled -------------------------------------------------------------------- */

/* A limit ends by the clock. */
static void control_due(void *context)
{
	source_control(context);
}

static void choose_control(struct source *source, struct control *ret_control)
{
	if (pause_control(source, ret_control))
		return;
	if (quota_control(source, clock_realtime_usec(), ret_control))
		loop_timer_set(source->keeper->loop, &source->control_timer, CONTROL_EVERY_USEC,
			       control_due, source);
	else
		*ret_control = (struct control){.kind = CONTROL_PULL};
}

/* Its sentence alone may change often: bytes are counted. */
static bool same_control(const struct control *a, const struct control *b)
{
	return a->kind == b->kind && a->until_usec == b->until_usec;
}

void source_control(struct source *source)
{
	struct control control;
	struct error err;

	choose_control(source, &control);
	if (same_control(&source->control, &control))
		return;
	source->control = control;
	if (control.kind == CONTROL_PULL)
		source->refusal[0] = '\0';
	else
		log_warning("source.held", "source", LOG_TEXT(source->config->name), "sentence",
			    LOG_TEXT(control.sentence), LOG_END);
	if (source->stage == SOURCE_ATTACHED && control_send(source->fd, &control, &err) < 0)
		disconnect(source, err.message);
}

/* ATTACHED, and before it what the puller is to do. */
static int send_attached(struct source *source, const struct attached *attached, struct error *err)
{
	int r;

	choose_control(source, &source->control);
	r = control_send(source->fd, &source->control, err);
	return r < 0 ? r : attached_send(source->fd, attached, err);
}

/* --- attaching ------------------------------------------------------------------------------- */

/* Must ATTACH still wait for this one? */
static bool is_awaited(const struct sealing *sealing, uint64_t waited_usec)
{
	switch (sealing->state) {
	case SEALING_WRITING:
	case SEALING_VERIFYING:
		return true;
	case SEALING_KEY:
		return waited_usec < KEY_PATIENCE_USEC;
	case SEALING_QUIET:
	case SEALING_SPACE:
		return waited_usec < QUIET_PATIENCE_USEC;
	case SEALING_STOPPED:
		break;
	}
	return false;
}

/*
 * Nothing is sealed, but files were begun: the first of them is pulled anew, from its beginning.
 * With `start = now` what is pending would else be followed by a gap.
 */
static void start_with_first_file(const struct source *source, struct attached *attached)
{
	const struct sealing *first = source->sealings;

	for (const struct sealing *s = first; s; s = s->next) {
		if (s->opened_index < first->opened_index)
			first = s;
	}
	if (first)
		memcpy(attached->next_file, first->record.header.binlog_file,
		       sizeof(attached->next_file));
}

static void check_attach(void *context)
{
	struct source *source = context;
	uint64_t waited = clock_monotonic_usec() - source->attaching_usec;
	struct attached attached;
	struct error err;

	if (source->stage != SOURCE_ATTACHING)
		return;
	/* With its key a period goes on after a restart; without, there will be a new one. */
	if (!source->key_fetched && waited < KEY_PATIENCE_USEC)
		return;
	for (const struct sealing *s = source->sealings; s; s = s->next) {
		if (is_awaited(s, waited))
			return;
	}
	loop_timer_clear(source->keeper->loop, &source->attach_timer);
	source->stage = SOURCE_ATTACHED;
	attached = source->resume;
	if (attached.kind == ATTACHED_START)
		start_with_first_file(source, &attached);
	log_info("puller.attached", "source", LOG_TEXT(source->config->name), "file",
		 LOG_TEXT(attached.binlog_file), "position", LOG_NUMBER(attached.good_end),
		 LOG_END);
	if (send_attached(source, &attached, &err) < 0)
		disconnect(source, err.message);
}

static void attach_patience(void *context)
{
	struct source *source = context;

	loop_timer_set(source->keeper->loop, &source->attach_timer, USEC_PER_SEC, attach_patience,
		       source);
	check_attach(source);
}

void source_changed(struct source *source)
{
	check_attach(source);
}

/* The puller that was there before the keeper goes on with its segment. */
static int adopt(struct source *source, const struct attach *attach, struct error *err)
{
	const struct attached attached = {.kind = ATTACHED_CONTINUE};
	struct sealing *sealing = find(source, attach->segment_id);
	struct error reason;

	if (!sealing || sealing->state == SEALING_STOPPED) {
		error_set(&reason, ERROR_NOT_FOUND,
			  "the segment that is held is not open any more: let go of it and attach "
			  "without");
		return refuse(source, &reason, err);
	}
	sealing_adopt(sealing);
	source->stage = SOURCE_ATTACHED;
	log_info("segment.adopted", "source", LOG_TEXT(source->config->name), "path",
		 LOG_TEXT(sealing->record.path), LOG_END);
	return send_attached(source, &attached, err);
}

static int on_attach(struct source *source, const struct message *message, struct error *err)
{
	struct attach attach;
	int r = attach_decode(message, &attach, err);

	if (r < 0)
		return r;
	if (attach.holds_segment)
		return adopt(source, &attach, err);
	source->stage = SOURCE_ATTACHING;
	source->attaching_usec = clock_monotonic_usec();
	loop_timer_set(source->keeper->loop, &source->attach_timer, USEC_PER_SEC, attach_patience,
		       source);
	begin_all(source);
	check_attach(source);
	return 0;
}

static int on_open(struct source *source, const struct message *message, struct error *err)
{
	struct segment_opened opened = {0};
	struct segment_files files;
	struct open_segment request;
	struct sealing *sealing;
	struct error reason;
	int r = open_segment_decode(message, &request, err);

	if (r < 0)
		return r;
	if (opening_open(source, &request, &files, &opened, &sealing, &reason) < 0) {
		source_control(source);
		return source->keeper->failed || source->fd < 0 ? 0 : refuse(source, &reason, err);
	}
	source->refusal[0] = '\0';
	r = segment_opened_send(source->fd, &opened, files.fds, files.count, err);
	/* Ours would hold up the lease. */
	segment_files_release(&files);
	secret_wipe(&opened, sizeof(opened));
	return r;
}

/*
 * It becomes a `covered` leaf and what `status` shows. We do not read what the puller writes, but a
 * frame takes a block at least and holds FRAME_PLAIN_SIZE_MAX bytes at most.
 */
static int check_progress(const struct sealing *sealing, const struct progress *progress,
			  struct error *err)
{
	const struct segment_header *header = &sealing->record.header;
	uint64_t frames = (uint64_t)progress->frame_sequence + 1, size;
	int r = segment_file_size(sealing->keeper->store, 0, sealing->record.path, &size, err);

	if (r < 0)
		return r;
	if (progress->good_end < header->start_position ||
	    progress->good_end - header->start_position > frames * FRAME_PLAIN_SIZE_MAX ||
	    size / header->block_size < frames + 1)
		return error_set(err, ERROR_DEFECT,
				 "PROGRESS to %" PRIu64 " with frame %" PRIu32
				 " is not what a file of %" PRIu64 " bytes can hold",
				 progress->good_end, progress->frame_sequence, size);
	return 0;
}

static int on_progress(struct source *source, const struct message *message, struct error *err)
{
	struct progress progress;
	struct sealing *sealing;
	int r = progress_decode(message, &progress, err);

	if (r < 0)
		return r;
	sealing = find(source, progress.segment_id);
	/* One that was being closed when the keeper was started again is sealed already, or soon.
	 */
	if (!sealing || sealing->state != SEALING_WRITING)
		return 0;
	r = check_progress(sealing, &progress, err);
	if (r < 0)
		return r;
	sealing->has_progress = true;
	sealing->progress = progress;
	source->has_progress = true;
	source->progress = progress;
	source->progress_usec = clock_realtime_usec();
	coverage_progress(source);
	source_control(source);
	return 0;
}

static int on_closed(struct source *source, const struct message *message, struct error *err)
{
	struct segment_closed closed;
	struct sealing *sealing;
	int r = segment_closed_decode(message, &closed, err);

	if (r < 0)
		return r;
	sealing = find(source, closed.segment_id);
	if (sealing)
		sealing_begin(sealing);
	return 0;
}

static int on_status(struct source *source, const struct message *message, struct error *err)
{
	int r = pull_status_decode(message, &source->status, err);

	if (r < 0)
		return r;
	coverage_caught_up(source, MIN(source->status.caught_up_usec, clock_realtime_usec()));
	source->has_status = true;
	source->status_usec = clock_realtime_usec();
	return 0;
}

static int on_damaged(struct source *source, const struct message *message, struct error *err)
{
	struct damaged damaged;
	int r = damaged_decode(message, &damaged, err);

	if (r == 0)
		damage_told(source, &damaged);
	return r;
}

static int on_semi_sync(struct source *source, const struct message *message, struct error *err)
{
	struct pull_semi_sync told;
	int r = pull_semi_sync_decode(message, &told, err);

	if (r == 0)
		spans_told(source, &told);
	return r;
}

static int on_observed(struct source *source, struct message *message, struct error *err)
{
	int r = coverage_observed(source, message, err);

	if (r == 0)
		spans_observed(source);
	return r;
}

static int on_attached_message(struct source *source, struct message *message, struct error *err)
{
	if (message->type == MESSAGE_PROGRESS)
		return on_progress(source, message, err);
	if (message->type == MESSAGE_SEGMENT_CLOSED)
		return on_closed(source, message, err);
	if (message->type == MESSAGE_OBSERVED)
		return on_observed(source, message, err);
	if (message->type == MESSAGE_DAMAGED)
		return on_damaged(source, message, err);
	return on_open(source, message, err);
}

static int on_message(struct source *source, struct message *message, struct error *err)
{
	int r;

	if (source->stage == SOURCE_HELLO) {
		r = hello_decode(message, &source->puller, err);
		if (r == 0)
			r = hello_send(source->fd, &source->keeper->hello, err);
		source->stage = SOURCE_CONNECTED;
		return r;
	}
	if (message->type == MESSAGE_STATE)
		return on_status(source, message, err);
	if (message->type == MESSAGE_SEMI_SYNC)
		return on_semi_sync(source, message, err);
	if (message->type == MESSAGE_PREFLIGHT)
		return preflight_take(source, message, err);
	if (message->type == MESSAGE_ATTACH && source->stage != SOURCE_ATTACHING)
		return on_attach(source, message, err);
	if (source->stage == SOURCE_ATTACHED)
		return on_attached_message(source, message, err);
	return error_set(err, ERROR_DEFECT, "a message that has no place before ATTACHED");
}

static void ready(void *context, int fd)
{
	struct source *source = context;
	struct error err;
	int r = message_receive(fd, &source->message, &err);

	if (r == ERROR_BUSY)
		return;
	if (r == 0) {
		disconnect(source, "it has ended");
		return;
	}
	if (r > 0) {
		r = on_message(source, &source->message, &err);
		message_release(&source->message);
	}
	if (r < 0)
		disconnect(source, err.message);
}

static int check_peer(const struct source *source, int fd, struct error *err)
{
	struct channel_peer peer;
	int r = channel_peer(fd, &peer, err);

	if (r < 0)
		return r;
	if (peer.uid != 0 && peer.uid != geteuid() && peer.uid != source->pull_uid)
		return error_set(err, ERROR_REFUSED, "user %u is not this source's puller",
				 (unsigned)peer.uid);
	return 0;
}

static bool has_hung_up(int fd)
{
	struct pollfd peer = {.fd = fd};

	return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLERR));
}

static void accept_puller(void *context, int listen_fd)
{
	struct source *source = context;
	struct error err, ignored;
	int fd, r;

	/* The last one may have ended just before: what it left, and its end, are read first. One
	 * that is still there is not listened to here: it could talk for ever. */
	while (source->fd >= 0 && !source->keeper->failed && has_hung_up(source->fd))
		ready(source, source->fd);
	fd = channel_accept(listen_fd, &err);
	if (fd < 0)
		return;
	r = check_peer(source, fd, &err);
	if (r == 0 && source->fd >= 0)
		r = error_set(&err, ERROR_BUSY, "another puller of source %s is connected",
			      source->config->name);
	if (r == 0)
		r = loop_watch(source->keeper->loop, fd, ready, source, &err);
	if (r < 0) {
		log_warning("puller.turned-away", "source", LOG_TEXT(source->config->name),
			    "reason", LOG_TEXT(err.message), LOG_END);
		r = message_send_failure(fd, &err, &ignored);
		close(fd);
		return;
	}
	source->fd = fd;
	source->stage = SOURCE_HELLO;
	source->connected_usec = clock_realtime_usec();
}

/* --- once a minute --------------------------------------------------------------------------- */

static void append_covered(struct source *source, struct sealing *sealing)
{
	struct covered_record record = {
		.position = sealing->progress.good_end,
		.frame_sequence = sealing->progress.frame_sequence,
	};
	struct error err;

	memcpy(record.source, source->config->name, sizeof(record.source));
	memcpy(record.segment_id, sealing->record.header.segment_id, SEGMENT_ID_SIZE);
	memcpy(record.frame_tag, sealing->progress.frame_tag, AEAD_TAG_SIZE);
	if (keeper_append(source->keeper, covered_record_encode(&record), &err) < 0) {
		log_warning("covered.failed", "source", LOG_TEXT(source->config->name), "reason",
			    LOG_TEXT(err.message), LOG_END);
		return;
	}
	sealing->covered = true;
	sealing->covered_sequence = record.frame_sequence;
}

static void covered(void *context)
{
	struct source *source = context;

	loop_timer_set(source->keeper->loop, &source->covered_timer, COVERED_EVERY_USEC, covered,
		       source);
	damage_check(source);
	for (struct sealing *s = source->sealings; s; s = s->next) {
		if (s->state == SEALING_WRITING && s->has_progress &&
		    (!s->covered || s->progress.frame_sequence > s->covered_sequence))
			append_covered(source, s);
	}
}

/* --- beginning and end ----------------------------------------------------------------------- */

int source_new(struct keeper *keeper, const struct config_source *config, uid_t pull_uid,
	       struct source **ret_source, struct error *err)
{
	char path[CONFIG_SOCKET_PATH_SIZE];
	struct source *source = calloc(1, sizeof(*source));
	int r;

	ASSERT(source);
	source->keeper = keeper;
	source->config = config;
	source->pull_uid = pull_uid;
	source->fd = -1;
	r = config_socket_pull(keeper->config, config->name, path, err);
	if (r == 0)
		r = channel_listen_for(path, pull_uid, err);
	if (r < 0) {
		free(source);
		return error_prefix(err, "source %s", config->name);
	}
	source->listen_fd = r;
	*ret_source = source;
	return 0;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	loop_timer_clear(source->keeper->loop, &source->attach_timer);
	loop_timer_clear(source->keeper->loop, &source->covered_timer);
	loop_timer_clear(source->keeper->loop, &source->control_timer);
	if (source->keeper->periods)
		periods_cancel(source->keeper->periods, source);
	if (source->fd >= 0) {
		loop_unwatch(source->keeper->loop, source->fd);
		close(source->fd);
	}
	loop_unwatch(source->keeper->loop, source->listen_fd);
	close(source->listen_fd);
	while (source->sealings) {
		struct sealing *sealing = source->sealings;

		source->sealings = sealing->next;
		sealing_free(sealing);
	}
	preflight_record_release(&source->preflight);
	coverage_release(&source->coverage);
	spans_release(source);
	free(source);
}

static void key_fetched(void *owner, const struct secret *key, const struct error *reason)
{
	struct source *source = owner;

	(void)key;
	(void)reason;
	source->key_fetched = true;
	check_attach(source);
}

/* The period that new segments would go on with, so that a restart does not begin another. */
static void fetch_newest(struct source *source)
{
	const struct period_record *newest =
		state_period_newest(store_state(source->keeper->store), source->config->name,
				    source->config->retention);
	char month[MONTH_SIZE];

	month_format(clock_realtime_usec(), month);
	if (newest && strcmp(newest->month, month) == 0)
		periods_fetch(source->keeper->periods, newest, key_fetched, source);
	else
		source->key_fetched = true;
}

int source_start(struct source *source, struct error *err)
{
	const struct state *state = store_state(source->keeper->store);
	size_t count = state_open_count(state, source->config->name);
	int r = resume_find(source, err);

	if (r == 0)
		r = quota_start(source, err);
	if (r == 0)
		r = loop_watch(source->keeper->loop, source->listen_fd, accept_puller, source, err);
	if (r < 0)
		return error_prefix(err, "source %s", source->config->name);
	for (size_t i = 0; i < count; i++) {
		struct state_open open = state_open_at(state, source->config->name, i);

		source_add(source, open.index, open.record);
	}
	loop_timer_set(source->keeper->loop, &source->covered_timer, COVERED_EVERY_USEC, covered,
		       source);
	source_control(source);
	fetch_newest(source);
	damage_check(source);
	begin_all(source);
	return 0;
}
