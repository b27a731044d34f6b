/*
 * An archive in a temporary directory (worm = advisory), a keeper on it in the test's thread, a
 * signer in another, and a puller that the test plays. For tests only.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "io/file.h"
#include "keeper/keeper.h"
#include "keeper/periods.h"
#include "keeper/signing.h"
#include "keeper/source.h"
#include "store/segment_file.h"
#include "unit/keeper/signer_fixture.h"
#include "volume/writer.h"

struct fixture {
	char directory[64];
	struct config *config;
	struct signer signer;
	struct keeper *keeper;
	int puller;		/* -1: not connected */
	struct control control; /* as the puller was told last */
	struct message message;
};

static inline void fixture_config(struct fixture *fixture, const char *more)
{
	char text[2048];
	struct error err = {0};
	const char *d = fixture->directory;
	int length = snprintf(text, sizeof(text),
			      "[archive]\nname = t\nvolume = %s/volume\nworm = advisory\n"
			      "runtime = %s/run\nreserve = 16M\nsegment-size = 16M\n"
			      "[hsm]\nmodule = /m.so\ntoken-label = t\nstate = %s/hsm\n"
			      "pin-source = file:/pin\n"
			      "[defaults]\nuser = u\ntls-ca = /ca.pem\ncredential = file:/pw\n%s"
			      "[source orders]\nservers = db1\nserver-id = 7\n",
			      d, d, d, more);

	config_free(fixture->config);
	fixture->config = NULL;
	assert_ok(config_parse("test.conf", text, (size_t)length, &fixture->config, &err), &err);
}

static inline int fixture_sign(void *context, struct store *store, uint64_t size,
			       const struct hash *root,
			       uint8_t signature[static SIGNATURE_SIZE_MAX],
			       size_t *ret_signature_size, struct error *err)
{
	struct signer *signer = context;

	(void)err;
	*ret_signature_size =
		signer_sign_checkpoint(signer, store_origin(store), size, root, signature);
	signer->tree = *store_tree(store);
	signer->stored = true;
	return 0;
}

static inline void fixture_make_archive(struct fixture *fixture)
{
	CLEANUP(store_freep)
	struct store *store = NULL;
	const char *volume = fixture->config->volumes[0];
	const struct store_create_options options = {
		.name = "t",
		.volumes = &volume,
		.volume_count = 1,
		.worm = WORM_ADVISORY,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
	};
	struct store_beginning beginning = {
		.master = {.sequence = 1, .label = "master"},
		.checkpoint = {.role = SIGNING_CHECKPOINT, .label = "checkpoint"},
		.manifest = {.role = SIGNING_MANIFEST, .label = "manifest"},
		.policy = {.worm = WORM_ADVISORY, .class_count = fixture->config->class_count},
	};
	struct error err = {0};

	memcpy(beginning.policy.classes, fixture->config->classes,
	       sizeof(beginning.policy.classes));
	beginning.master.der_size = signer_der(fixture->signer.master, beginning.master.der);
	beginning.checkpoint.der_size =
		signer_der(fixture->signer.checkpoint, beginning.checkpoint.der);
	beginning.manifest.der_size = signer_der(fixture->signer.manifest, beginning.manifest.der);
	assert_ok(store_create(&options, &store, &err), &err);
	assert_ok(store_begin(store, &beginning, fixture_sign, &fixture->signer, &err), &err);
}

static inline struct fixture *fixture_new(void)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char path[128];

	log_init("test", LOG_LEVEL_ERROR);
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/binvault-keeper.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(path, sizeof(path), "%s/volume", fixture->directory);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/run", fixture->directory);
	assert_int_equal(mkdir(path, 0755), 0);
	fixture_config(fixture, "");
	snprintf(path, sizeof(path), "%s/run/hsm.sock", fixture->directory);
	signer_init(&fixture->signer, path);
	{
		char socket[CONFIG_SOCKET_PATH_SIZE];
		struct error err = {0};

		assert_ok(config_socket(fixture->config, "hsm", socket, &err), &err);
		snprintf(fixture->signer.socket, sizeof(fixture->signer.socket), "%s", socket);
	}
	fixture_make_archive(fixture);
	fixture->puller = -1;
	return fixture;
}

/* Start the keeper; *ret_code if it may fail. */
static inline int fixture_try_start(struct fixture *fixture, struct error *err)
{
	const struct keeper_options options = {
		.config = fixture->config,
		.isolation = "seccomp",
		.pull_uid = (uid_t)-1,
		.hsm_uid = (uid_t)-1,
		.export_uid = (uid_t)-1,
		.export_gid = (gid_t)-1,
	};
	int r = keeper_new(&options, &fixture->keeper, err);

	return r < 0 ? r : keeper_start(fixture->keeper, err);
}

static inline void fixture_start(struct fixture *fixture)
{
	struct error err = {0};

	assert_ok(fixture_try_start(fixture, &err), &err);
}

static inline void fixture_stop(struct fixture *fixture)
{
	keeper_free(fixture->keeper);
	fixture->keeper = NULL;
}

static inline void fixture_puller_leave(struct fixture *fixture)
{
	if (fixture->puller >= 0)
		close(fixture->puller);
	fixture->puller = -1;
}

static inline void fixture_free(struct fixture *fixture)
{
	char command[128];

	fixture_puller_leave(fixture);
	fixture_stop(fixture);
	signer_release(&fixture->signer);
	config_free(fixture->config);
	snprintf(command, sizeof(command), "rm -rf %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
}

/* --- running --------------------------------------------------------------------------------- */

struct fixture_wait {
	struct keeper *keeper;
	bool (*condition)(void *context);
	void *context;
	struct loop_timer timer;
	uint64_t until_usec;
	bool met;
};

static inline void fixture_look(void *context)
{
	struct fixture_wait *wait = context;

	wait->met = wait->condition(wait->context);
	if (wait->met || clock_monotonic_usec() > wait->until_usec)
		loop_stop(wait->keeper->loop);
	else
		loop_timer_set(wait->keeper->loop, &wait->timer, 2000, fixture_look, wait);
}

/* Run the keeper until the condition holds; false after @seconds, or if the keeper has failed. */
static inline bool fixture_run_until(struct fixture *fixture, unsigned seconds,
				     bool (*condition)(void *context), void *context)
{
	struct fixture_wait wait = {
		.keeper = fixture->keeper,
		.condition = condition,
		.context = context,
		.until_usec = clock_monotonic_usec() + seconds * USEC_PER_SEC,
	};
	struct error err = {0};
	int r;

	loop_timer_set(fixture->keeper->loop, &wait.timer, 0, fixture_look, &wait);
	r = keeper_run(fixture->keeper, &err);
	loop_timer_clear(fixture->keeper->loop, &wait.timer);
	return r == 0 && wait.met;
}

static inline bool fixture_readable(void *context)
{
	struct pollfd poll_fd = {.fd = *(int *)context, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0;
}

static inline bool fixture_never(void *context)
{
	(void)context;
	return false;
}

static inline bool fixture_is_sealed(void *context)
{
	struct fixture *fixture = context;

	return state_open_count(store_state(fixture->keeper->store), NULL) == 0;
}

static inline bool fixture_is_signed(void *context)
{
	struct fixture *fixture = context;

	return signing_unsigned_count(fixture->keeper->signing) == 0;
}

static inline const struct keeper_alarm *fixture_alarm(const struct fixture *fixture,
						       const char *name)
{
	for (size_t i = 0; i < fixture->keeper->alarm_count; i++) {
		if (strcmp(fixture->keeper->alarms[i].name, name) == 0)
			return &fixture->keeper->alarms[i];
	}
	return NULL;
}

/* --- the puller ------------------------------------------------------------------------------ */

/* The next message of the keeper, in fixture->message; CONTROL as well as any. */
static inline void fixture_receive_any(struct fixture *fixture, unsigned seconds)
{
	struct error err = {0};

	if (!fixture_run_until(fixture, seconds, fixture_readable, &fixture->puller))
		fail_msg("the keeper has not answered%s%s", fixture->keeper->failed ? ": " : "",
			 fixture->keeper->failure.message);
	assert_int_equal(message_receive(fixture->puller, &fixture->message, &err), 1);
}

static inline void fixture_take_control(struct fixture *fixture)
{
	struct error err = {0};

	assert_ok(control_decode(&fixture->message, &fixture->control, &err), &err);
}

/* The next answer, with what CONTROL says on the way in fixture->control. */
static inline void fixture_receive(struct fixture *fixture, unsigned seconds)
{
	fixture_receive_any(fixture, seconds);
	while (fixture->message.type == MESSAGE_CONTROL) {
		fixture_take_control(fixture);
		fixture_receive_any(fixture, seconds);
	}
}

static inline void fixture_puller_connect(struct fixture *fixture)
{
	const struct hello hello = {.program = "binvault-pull", .version = "test"};
	char path[CONFIG_SOCKET_PATH_SIZE];
	struct hello theirs;
	struct error err = {0};

	assert_ok(config_socket_pull(fixture->config, "orders", path, &err), &err);
	fixture->puller = channel_connect(path, &err);
	assert_ok(fixture->puller, &err);
	assert_ok(hello_send(fixture->puller, &hello, &err), &err);
	fixture_receive(fixture, 5);
	assert_ok(hello_decode(&fixture->message, &theirs, &err), &err);
	assert_string_equal(theirs.program, "binvault-keeper");
}

static inline struct attached fixture_attach(struct fixture *fixture)
{
	const struct attach attach = {0};
	struct attached attached;
	struct error err = {0};

	fixture_puller_connect(fixture);
	assert_ok(attach_send(fixture->puller, &attach, &err), &err);
	fixture_receive(fixture, 15);
	assert_ok(message_expect(&fixture->message, MESSAGE_ATTACHED, &err), &err);
	assert_ok(attached_decode(&fixture->message, &attached, &err), &err);
	return attached;
}

/* A segment as the puller has it. */
struct held {
	int fd;
	struct segment_header header;
	struct secret key;
	struct segment_writer *writer;
	uint64_t position;
	uint32_t sequence;
	uint8_t tag[16];
};

static inline void held_take(struct held *held, const uint8_t *header, const uint8_t *key, int fd)
{
	struct error err = {0};

	assert_ok(segment_header_decode(header, &held->header, &err), &err);
	assert_ok(secret_init(&held->key, SEGMENT_KEY_SIZE, &err), &err);
	memcpy(held->key.bytes, key, SEGMENT_KEY_SIZE);
	held->fd = fd;
	held->position = held->header.start_position;
	const struct segment_writer_options options = {0};
	assert_ok(segment_writer_new(&held->header, &held->key, &options, &held->writer, &err),
		  &err);
}

static inline void fixture_ask(struct fixture *fixture, const char *file, uint64_t position)
{
	struct open_segment request = {.start_position = position};
	struct error err = {0};

	memset(request.identity, 'i', sizeof(request.identity));
	memset(&request.generation, 'g', sizeof(request.generation));
	memset(&request.file_id, 'f', sizeof(request.file_id));
	snprintf(request.binlog_file, sizeof(request.binlog_file), "%s", file);
	assert_ok(open_segment_send(fixture->puller, &request, &err), &err);
	fixture_receive(fixture, 5);
}

static inline void fixture_open(struct fixture *fixture, const char *file, uint64_t position,
				struct held *held)
{
	struct segment_opened opened;
	struct error err = {0};

	memset(held, 0, sizeof(*held));
	fixture_ask(fixture, file, position);
	assert_ok(message_expect(&fixture->message, MESSAGE_SEGMENT_OPENED, &err), &err);
	assert_ok(segment_opened_decode(&fixture->message, &opened, &err), &err);
	assert_int_equal(fixture->message.fd_count, 1);
	held_take(held, opened.header, opened.key, message_take_fd(&fixture->message, 0));
}

static inline void held_append(struct held *held, const struct segment_output *output, size_t size)
{
	struct error err = {0};

	assert_ok(file_append_durable(held->fd, output->bytes, size, &err), &err);
	held->sequence = output->sequence;
	memcpy(held->tag, output->tag, sizeof(held->tag));
}

/* One event of 100 bytes, complete; one frame. @cut: only so many bytes of the frame are written */
static inline void held_add(struct held *held, size_t cut, bool transaction_end)
{
	uint8_t bytes[100];
	struct segment_output output;
	struct segment_event event = {
		.position = held->position,
		.length = sizeof(bytes),
		.crc = (uint32_t)held->position,
		.time_usec = 1000000 * held->position,
		.transaction_end = transaction_end,
	};

	if (transaction_end) {
		event.gtid_group = (const uint8_t *)"g";
		event.gtid_group_size = 1;
		event.gtid_sequence = held->position;
	}

	memset(bytes, (int)held->position, sizeof(bytes));
	assert_int_equal(segment_writer_add(held->writer, bytes, sizeof(bytes)), sizeof(bytes));
	segment_writer_event_end(held->writer, &event);
	segment_writer_build(held->writer, clock_realtime_usec(), &output);
	held_append(held, &output, cut ? cut : output.size);
	segment_writer_written(held->writer);
	held->position += sizeof(bytes);
}

static inline void held_event(struct held *held, size_t cut)
{
	held_add(held, cut, true);
}

static inline void held_end(struct held *held, enum segment_ended ended, const char *next)
{
	struct segment_output output;
	struct error err = {0};

	assert_ok(segment_writer_end(held->writer, ended, next, NULL, clock_realtime_usec(),
				     &output, &err),
		  &err);
	held_append(held, &output, output.size);
}

static inline void held_release(struct held *held)
{
	segment_writer_free(held->writer);
	secret_release(&held->key);
	if (held->fd >= 0)
		close(held->fd);
	held->fd = -1;
	held->writer = NULL;
}

static inline void fixture_progress(struct fixture *fixture, const struct held *held)
{
	struct progress progress = {
		.good_end = held->position,
		.transaction_end = held->position,
		.received_usec = clock_realtime_usec(),
		.frame_sequence = held->sequence,
	};
	struct error err = {0};

	memcpy(progress.segment_id, held->header.segment_id, SEGMENT_ID_SIZE);
	memcpy(progress.frame_tag, held->tag, sizeof(progress.frame_tag));
	assert_ok(progress_send(fixture->puller, &progress, &err), &err);
}

static inline void fixture_closed(struct fixture *fixture, struct held *held)
{
	struct segment_closed closed = {.good_end = held->position};
	struct error err = {0};

	memcpy(closed.segment_id, held->header.segment_id, SEGMENT_ID_SIZE);
	held_release(held);
	assert_ok(segment_closed_send(fixture->puller, &closed, &err), &err);
}

/* The path of the newest segment file, absolute. */
static inline void fixture_segment_path(const struct fixture *fixture, const char *path,
					char absolute[static 512])
{
	snprintf(absolute, 512, "%s/volume/%s", fixture->directory, path);
}
