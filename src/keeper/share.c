#include "keeper/share.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"
#include "io/clock.h"
#include "keeper/export_directory.h"
#include "keeper/operator.h"

/* The system's clock may be set: an end is looked for so often, whatever the time was. */
#define LOOK_USEC  (60 * USEC_PER_SEC)
#define ALARM_NAME "share"

void share_fill(const struct request_record *request, struct exported_record *record)
{
	if (!request->client[0])
		return;
	memcpy(record->client, request->client, sizeof(record->client));
	memcpy(record->to, request->to, sizeof(record->to));
	record->form = request->form;
	if (checked_add(clock_realtime_usec(), request->keep_usec, &record->end_usec))
		record->end_usec = UINT64_MAX;
}

/* As much of the request as says where its restore lies. */
static struct request_record request_of(const struct exported_record *shared)
{
	struct request_record request = {.kind = REQUEST_RESTORE, .form = shared->form};

	memcpy(request.id, shared->request, sizeof(request.id));
	memcpy(request.client, shared->client, sizeof(request.client));
	memcpy(request.to, shared->to, sizeof(request.to));
	return request;
}

static int withdraw(struct keeper *keeper, const struct exported_record *shared,
		    struct withdrawn_record *record, struct error *err)
{
	struct request_record request = request_of(shared);
	char name[EXPORT_FILE_NAME_SIZE];
	int r = export_directory_withdraw(keeper->config, &request, err);

	memcpy(record->request, request.id, sizeof(record->request));
	if (r == 0)
		r = keeper_append(keeper, withdrawn_record_encode(record), err);
	if (r < 0)
		return error_prefix(err, "withdrawing request %s", request.id);
	export_directory_name(&request, name);
	log_info("share.withdrawn", "request", LOG_TEXT(request.id), "client",
		 LOG_TEXT(request.client), "name", LOG_TEXT(name), "by_person",
		 LOG_NUMBER(record->by_person), LOG_END);
	return 0;
}

/* One that stays although its end has come is an alarm, not the end of the keeper. */
static void withdraw_due(struct keeper *keeper)
{
	const struct state *state = store_state(keeper->store);
	uint64_t now = clock_realtime_usec();
	const struct exported_record *shared;
	bool failed = false;
	size_t i = 0;

	while ((shared = state_shared_at(state, i))) {
		struct withdrawn_record record = {.by_person = false};
		struct error err = {0};

		if (shared->end_usec > now) {
			i++;
		} else if (withdraw(keeper, shared, &record, &err) < 0) {
			i++;
			failed = true;
			keeper_alarm_raise(keeper, ALARM_NAME, err.message);
		}
	}
	if (!failed)
		keeper_alarm_clear(keeper, ALARM_NAME);
}

static void on_time(void *context)
{
	struct keeper *keeper = context;

	withdraw_due(keeper);
	share_schedule(keeper);
}

void share_schedule(struct keeper *keeper)
{
	const struct state *state = store_state(keeper->store);
	uint64_t now = clock_realtime_usec(), delay = LOOK_USEC;
	const struct exported_record *shared;

	loop_timer_clear(keeper->loop, &keeper->share_timer);
	for (size_t i = 0; (shared = state_shared_at(state, i)); i++) {
		/* One that is due and is still there could not be removed: not at once again. */
		if (shared->end_usec > now)
			delay = MIN(delay, shared->end_usec - now);
	}
	if (state_shared_at(state, 0))
		loop_timer_set(keeper->loop, &keeper->share_timer, delay, on_time, keeper);
}

int share_start(struct keeper *keeper, gid_t gid, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < keeper->config->client_count; i++)
		r = export_directory_make_client(keeper->config, keeper->config->clients[i].name,
						 gid, err);
	if (r == 0)
		on_time(keeper);
	return r;
}

/* --- verbs ----------------------------------------------------------------------------------- */

static json_t *describe(const struct exported_record *shared)
{
	struct request_record request = request_of(shared);
	char name[EXPORT_FILE_NAME_SIZE];
	json_t *object = json_object();

	export_directory_name(&request, name);
	json_put_string(object, "request", shared->request);
	json_put_string(object, "client", shared->client);
	json_put_string(object, "name", name);
	json_put_u64(object, "end_usec", shared->end_usec);
	return object;
}

int share_answer_list(struct keeper *keeper, const struct operator_caller *caller,
		      const json_t *request, json_t *reply, struct error *err)
{
	const struct state *state = store_state(keeper->store);
	const struct exported_record *shared;
	json_t *list = json_array();

	(void)caller;
	(void)request;
	(void)err;
	for (size_t i = 0; (shared = state_shared_at(state, i)); i++)
		json_array_append_new(list, describe(shared));
	json_put(reply, "schema", json_integer(1));
	json_put(reply, "shares", list);
	return 0;
}

int share_answer_withdraw(struct keeper *keeper, const struct operator_caller *caller,
			  const json_t *request, json_t *reply, struct error *err)
{
	struct withdrawn_record record = {
		.by_person = true, .uid = caller->uid, .gid = caller->gid};
	const struct exported_record *shared;
	const char *id, *reason = "";
	json_t *what;
	int r = json_get_string(request, "request", &id, err);

	if (r == 0 && json_object_get(request, "reason"))
		r = json_get_string(request, "reason", &reason, err);
	if (r < 0)
		return error_set(err, ERROR_USAGE, "'request' and 'reason' must be text");
	if (request_text_check(reason, "the reason", err) < 0)
		return err->code;
	shared = state_shared_find(store_state(keeper->store), id);
	if (!shared)
		return error_set(err, ERROR_NOT_FOUND,
				 "no client reads what request '%.40s' restored: binvault share "
				 "list shows what is shared",
				 id);
	snprintf(record.reason, sizeof(record.reason), "%s", reason);
	what = describe(shared);
	r = withdraw(keeper, shared, &record, err);
	if (r == 0)
		json_object_update(reply, what);
	json_decref(what);
	share_schedule(keeper);
	return r;
}
