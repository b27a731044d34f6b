#include "keeper/export.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/random.h"
#include "io/clock.h"
#include "keeper/export_task.h"
#include "keeper/operator.h"
#include "keeper/share.h"

struct export_queue {
	struct keeper *keeper;
	gid_t gid;
	struct export_task *tasks;
	/* A ring: the newest at `remembered_count - 1` modulo its size. */
	json_t *remembered[EXPORTS_REMEMBERED];
	size_t remembered_count;
};

int export_queue_new(struct keeper *keeper, gid_t export_gid, struct export_queue **ret_queue,
		     struct error *err)
{
	struct export_queue *queue = calloc(1, sizeof(*queue));

	(void)err;
	ASSERT(queue);
	queue->keeper = keeper;
	queue->gid = export_gid;
	*ret_queue = queue;
	return 0;
}

void export_queue_free(struct export_queue *queue)
{
	if (!queue)
		return;
	while (queue->tasks) {
		struct export_task *task = queue->tasks;

		queue->tasks = task->next;
		export_task_free(task);
	}
	for (size_t i = 0; i < EXPORTS_REMEMBERED; i++)
		json_decref(queue->remembered[i]);
	free(queue);
}

static void remember(struct export_queue *queue, json_t *report)
{
	json_t **slot = &queue->remembered[queue->remembered_count++ % EXPORTS_REMEMBERED];

	json_decref(*slot);
	*slot = report;
}

/* A task has ended, its leaf is written. */
static void task_ended(void *context, struct export_task *task)
{
	struct export_queue *queue = context;
	struct export_task **link = &queue->tasks;

	remember(queue, export_task_report(task));
	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
	export_task_free(task);
}

/* --- what a crash left ----------------------------------------------------------------------- */

static int end_leftover(struct export_queue *queue, const struct request_record *request,
			struct error *err)
{
	const struct keeper *keeper = queue->keeper;
	const struct signing_key_record *key =
		state_signing_key(store_state(keeper->store), SIGNING_MANIFEST);
	struct export_failed_record failed = {0};
	struct exported_record exported;
	struct error reason = {0};
	int found = 0;

	if (request->kind == REQUEST_RESTORE && keeper->config->export_path) {
		if (export_directory_remove(keeper->config, request, &reason) < 0)
			log_warning("export.leftover", "request", LOG_TEXT(request->id), "reason",
				    LOG_TEXT(reason.message), LOG_END);
		if (key)
			found = export_directory_find(keeper->config, request, key, &exported,
						      &reason);
	}
	log_info("export.recovered", "request", LOG_TEXT(request->id), "complete",
		 LOG_NUMBER(found > 0), LOG_END);
	if (found > 0)
		share_fill(request, &exported);
	if (found > 0)
		return keeper_append(queue->keeper, exported_record_encode(&exported), err);
	memcpy(failed.request, request->id, sizeof(failed.request));
	snprintf(failed.sentence, sizeof(failed.sentence), "the keeper ended while it ran");
	return keeper_append(queue->keeper, export_failed_record_encode(&failed), err);
}

int export_queue_start(struct export_queue *queue, struct error *err)
{
	const struct state *state = store_state(queue->keeper->store);

	while (state_request_count(state) > 0) {
		bool approved;
		/* A copy: its leaf takes it out of the state. */
		struct request_record request = *state_request_at(state, 0, &approved);
		int r = end_leftover(queue, &request, err);

		if (r < 0)
			return error_prefix(err, "request %s", request.id);
	}
	return share_start(queue->keeper, queue->gid, err);
}

/* --- requests -------------------------------------------------------------------------------- */

/* "R-7F3A2B": short enough to say over the telephone. */
static void make_id(char id[static REQUEST_ID_SIZE])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t bytes[6];

	random_bytes(bytes, sizeof(bytes));
	snprintf(id, REQUEST_ID_SIZE, "R-%c%c%c%c%c%c", digits[bytes[0] % 32],
		 digits[bytes[1] % 32], digits[bytes[2] % 32], digits[bytes[3] % 32],
		 digits[bytes[4] % 32], digits[bytes[5] % 32]);
}

static int check_room(const struct export_queue *queue, const struct request_record *request,
		      struct error *err)
{
	char name[EXPORT_FILE_NAME_SIZE], other[EXPORT_FILE_NAME_SIZE];
	size_t count = 0;

	export_directory_name(request, name);
	for (const struct export_task *task = queue->tasks; task; task = task->next) {
		count++;
		export_directory_name(&task->request, other);
		if (request->kind == REQUEST_RESTORE && strcmp(other, name) == 0 &&
		    strcmp(task->request.client, request->client) == 0)
			return error_set(err, ERROR_EXISTS, "request %s is restoring to '%s' now",
					 task->request.id, name);
	}
	if (count < EXPORTS_MAX)
		return 0;
	return error_set(err, ERROR_BUSY,
			 "%zu requests are running, and no more do at a time: try again when one "
			 "has ended",
			 count);
}

/* Request leaf, approved leaf, task. */
static int submit(struct export_queue *queue, const struct request_record *request, json_t *reply,
		  struct error *err)
{
	struct approved_record approved = {.by = "policy"};
	struct export_task *task;
	int r = keeper_append(queue->keeper, request_record_encode(request), err);

	memcpy(approved.request, request->id, sizeof(approved.request));
	if (r == 0)
		r = keeper_append(queue->keeper, approved_record_encode(&approved), err);
	if (r < 0)
		return r;
	log_info("export.requested", "request", LOG_TEXT(request->id), "source",
		 LOG_TEXT(request->source), "to", LOG_TEXT(request->to), "uid",
		 LOG_NUMBER(request->uid), LOG_END);
	task = export_task_new(queue->keeper, queue->gid, request, task_ended, queue);
	task->next = queue->tasks;
	queue->tasks = task;
	export_task_start(task);
	json_put_string(reply, "request", request->id);
	return 0;
}

/* An optional text. */
static int take_text(const json_t *object, const char *key, char *ret_text, size_t size,
		     struct error *err)
{
	const char *text = "";

	ret_text[0] = '\0';
	if (json_object_get(object, key) && json_get_string(object, key, &text, err) < 0)
		return error_set(err, ERROR_USAGE, "'%s' must be text", key);
	if (strlen(text) >= size)
		return error_set(err, ERROR_USAGE, "'%s' is longer than %zu bytes", key, size - 1);
	memcpy(ret_text, text, strlen(text) + 1);
	return 0;
}

static int take_number(const json_t *object, const char *key, uint64_t *ret_value,
		       struct error *err)
{
	if (json_get_u64(object, key, ret_value, err) == 0)
		return 0;
	err->code = ERROR_USAGE;
	return err->code;
}

static int take_limit(const json_t *object, struct request_record *request, struct error *err)
{
	int r = take_text(object, "until_file", request->limit_file, sizeof(request->limit_file),
			  err);

	if (r < 0)
		return r;
	if (json_object_get(object, "until_usec")) {
		request->limit = REQUEST_LIMIT_TIME;
		if (request->limit_file[0])
			return error_set(err, ERROR_USAGE,
					 "a restore ends at a time or at a position, not at both");
		return take_number(object, "until_usec", &request->limit_usec, err);
	}
	if (!request->limit_file[0])
		return 0;
	request->limit = REQUEST_LIMIT_POSITION;
	r = name_check_binlog(request->limit_file, err);
	return r < 0 ? r : take_number(object, "until_position", &request->limit_position, err);
}

/* One that is configured, or whose segments are still here. */
static int check_source(const struct keeper *keeper, const char *name, struct error *err)
{
	int r = name_check_source(name, err);

	if (r < 0 || config_find_source(keeper->config, name) ||
	    state_sealed(store_state(keeper->store), name, NULL))
		return r;
	return error_set(err, ERROR_USAGE, "there is no source '%s': binvault list shows them",
			 name);
}

/* Optional: the directory form was there first. */
static int take_form(const json_t *object, struct request_record *request, struct error *err)
{
	char form[8];

	if (take_text(object, "form", form, sizeof(form), err) < 0)
		return err->code;
	if (strcmp(form, "tar") == 0)
		request->form = REQUEST_TAR;
	else if (form[0] && strcmp(form, "files") != 0)
		return error_set(err, ERROR_USAGE, "'form' is 'files' or 'tar', not '%s'", form);
	return 0;
}

static int take_generation(const json_t *object, struct request_record *request, struct error *err)
{
	int r = take_text(object, "generation", request->generation, sizeof(request->generation),
			  err);

	if (r == 0 && request->generation[strspn(request->generation, "0123456789abcdef")] != '\0')
		r = error_set(err, ERROR_USAGE,
			      "'%s' is no generation: the first digits of one as binvault list "
			      "shows it",
			      request->generation);
	return r;
}

/* Optional: who reads it over the share, and for how long; no longer than is configured. */
static int take_client(const struct keeper *keeper, const json_t *object,
		       struct request_record *request, struct error *err)
{
	const struct config_client *client;
	int r = take_text(object, "client", request->client, sizeof(request->client), err);

	if (r < 0)
		return r;
	if (!request->client[0]) {
		if (config_find_client(keeper->config, request->to))
			return error_set(err, ERROR_EXISTS,
					 "'%s' is the directory of a client: choose another name, "
					 "or restore for the client",
					 request->to);
		return json_object_get(object, "keep_usec")
			       ? error_set(err, ERROR_USAGE, "a restore for no client has no end")
			       : 0;
	}
	client = config_find_client(keeper->config, request->client);
	if (!client)
		return error_set(err, ERROR_USAGE, "there is no section [client %s] in %s",
				 request->client, keeper->config->path);
	request->keep_usec = client->keep_usec;
	if (json_object_get(object, "keep_usec"))
		r = take_number(object, "keep_usec", &request->keep_usec, err);
	if (r == 0 && (request->keep_usec == 0 || request->keep_usec > client->keep_usec))
		r = error_set(err, ERROR_USAGE,
			      "client '%s' may read for %" PRIu64 " s at most ('keep' in its "
			      "section)",
			      client->name, client->keep_usec / 1000000);
	return r;
}

static int take_restore(const struct keeper *keeper, const json_t *object,
			struct request_record *request, struct error *err)
{
	int r = take_text(object, "source", request->source, sizeof(request->source), err);

	if (r == 0)
		r = check_source(keeper, request->source, err);
	if (r == 0)
		r = take_text(object, "to", request->to, sizeof(request->to), err);
	if (r == 0)
		r = name_check_export(request->to, err);
	if (r == 0)
		r = take_text(object, "from_file", request->from_file, sizeof(request->from_file),
			      err);
	if (r == 0 && request->from_file[0])
		r = name_check_binlog(request->from_file, err);
	if (r == 0)
		r = take_generation(object, request, err);
	if (r == 0)
		r = take_form(object, request, err);
	if (r == 0)
		r = take_client(keeper, object, request, err);
	if (r == 0)
		r = take_limit(object, request, err);
	return r;
}

static int take_common(struct export_queue *queue, const struct operator_caller *caller,
		       const json_t *object, struct request_record *request, struct error *err)
{
	int r;

	make_id(request->id);
	request->uid = caller->uid;
	request->gid = caller->gid;
	r = take_text(object, "reason", request->reason, sizeof(request->reason), err);
	if (r == 0)
		r = request_text_check(request->reason, "the reason", err);
	return r < 0 ? r : check_room(queue, request, err);
}

int export_answer_restore(struct keeper *keeper, const struct operator_caller *caller,
			  const json_t *request, json_t *reply, struct error *err)
{
	struct request_record record = {.kind = REQUEST_RESTORE};
	int r = take_restore(keeper, request, &record, err);

	if (r == 0)
		r = take_common(keeper->exports, caller, request, &record, err);
	if (r == 0)
		r = export_directory_check(keeper->config, &record, err);
	return r < 0 ? r : submit(keeper->exports, &record, reply, err);
}

int export_answer_verify(struct keeper *keeper, const struct operator_caller *caller,
			 const json_t *request, json_t *reply, struct error *err)
{
	struct request_record record = {.kind = REQUEST_VERIFY};
	int r = take_common(keeper->exports, caller, request, &record, err);

	return r < 0 ? r : submit(keeper->exports, &record, reply, err);
}

int export_answer_status(struct keeper *keeper, const struct operator_caller *caller,
			 const json_t *request, json_t *reply, struct error *err)
{
	const struct export_queue *queue = keeper->exports;
	const char *id;

	(void)caller;
	if (json_get_string(request, "request", &id, err) < 0)
		return err->code;
	for (const struct export_task *task = queue->tasks; task; task = task->next) {
		if (strcmp(task->request.id, id) == 0) {
			json_t *report = export_task_report(task);

			json_object_update(reply, report);
			json_decref(report);
			return 0;
		}
	}
	for (size_t i = 0; i < EXPORTS_REMEMBERED; i++) {
		const char *name;

		if (queue->remembered[i] &&
		    json_get_string(queue->remembered[i], "request", &name, err) == 0 &&
		    strcmp(name, id) == 0) {
			json_object_update(reply, queue->remembered[i]);
			return 0;
		}
	}
	return error_set(err, ERROR_NOT_FOUND,
			 "this keeper has not carried out a request '%.40s' since it was started; "
			 "the ledger has the result",
			 id);
}
