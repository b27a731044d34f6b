#include "keeper/operator.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "io/channel.h"
#include "keeper/keeper.h"
#include "store/request_record.h"

#define NO_GROUP ((gid_t)-1)

/* Anybody may ask; the answer depends on who it is. */
#define SOCKET_MODE 0666

struct connection {
	struct operator* operator;
	int fd; /* -1: free */
	uint64_t sequence;
};

struct operator
{
	struct keeper *keeper;
	int listen_fd;
	gid_t operate_gid, restore_gid; /* NO_GROUP: root alone */
	struct connection connections[OPERATOR_CONNECTIONS_MAX];
	uint64_t sequence;
	char bytes[CHANNEL_MESSAGE_MAX];
};

static int find_group(const char *name, const char *key, gid_t *ret_gid, struct error *err)
{
	const struct group *group;

	*ret_gid = NO_GROUP;
	if (!name)
		return 0;
	group = getgrnam(name);
	if (!group)
		return error_set(err, ERROR_USAGE, "[access] %s = %s: there is no such group", key,
				 name);
	*ret_gid = group->gr_gid;
	return 0;
}

int operator_new(struct keeper *keeper, struct operator** ret_operator, struct error *err)
{
	CLEANUP(operator_freep)
	struct operator* operator= calloc(1, sizeof(*operator));
	char path[CONFIG_SOCKET_PATH_SIZE];
	int r;

	ASSERT(operator);
	operator->keeper = keeper;
	operator->listen_fd = - 1;
	for (size_t i = 0; i < OPERATOR_CONNECTIONS_MAX; i++)
		operator->connections[i].fd = - 1;
	r = find_group(keeper->config->access_operate, "operate", &operator->operate_gid, err);
	if (r == 0)
		r = find_group(keeper->config->access_restore, "restore", &operator->restore_gid,
			       err);
	if (r == 0)
		r = config_socket(keeper->config, "operator", path, err);
	if (r == 0)
		r = operator->listen_fd =
			    channel_listen(path, SOCKET_MODE, (uid_t)-1, (gid_t)-1, err);
	if (r < 0)
		return r;
	*ret_operator = TAKE(operator);
	return 0;
}

static void drop(struct connection *connection)
{
	if (connection->fd < 0)
		return;
	loop_unwatch(connection->operator->keeper->loop, connection->fd);
	close(connection->fd);
	connection->fd = -1;
}

void operator_free(struct operator* operator)
{
	if (!operator)
		return;
	for (size_t i = 0; i < OPERATOR_CONNECTIONS_MAX; i++)
		drop(&operator->connections[i]);
	if (operator->listen_fd >= 0) {
		loop_unwatch(operator->keeper->loop, operator->listen_fd);
		close(operator->listen_fd);
	}
	free(operator);
}

/* --- who asks, and what for ------------------------------------------------------------------ */

static int is_member(int fd, gid_t gid, bool *ret_member, struct error *err)
{
	int r = gid == NO_GROUP ? 0 : channel_peer_in_group(fd, gid, err);

	*ret_member = r > 0;
	return r < 0 ? r : 0;
}

static int identify(const struct operator* operator, int fd, struct operator_caller *ret_caller,
		    struct error *err)
{
	struct channel_peer peer;
	int r = channel_peer(fd, &peer, err);

	if (r < 0)
		return r;
	*ret_caller = (struct operator_caller){.uid = peer.uid, .gid = peer.gid};
	if (peer.uid == 0 || peer.uid == geteuid()) {
		ret_caller->may_operate = true;
		ret_caller->may_restore = true;
		return 0;
	}
	r = is_member(fd, operator->operate_gid, &ret_caller->may_operate, err);
	return r < 0 ? r : is_member(fd, operator->restore_gid, &ret_caller->may_restore, err);
}

static int check_access(const struct operator_verb *verb, const struct operator_caller *caller,
			struct error *err)
{
	const char *key = verb->access == OPERATOR_RESTORES ? "restore" : "operate";

	if (verb->access == OPERATOR_READS	? caller->may_operate || caller->may_restore
	    : verb->access == OPERATOR_RESTORES ? caller->may_restore
						: caller->may_operate)
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "user %u may not ask for '%s': be root, or a member of the group that "
			 "[access] %s names",
			 (unsigned)caller->uid, verb->name, key);
}

static int answer(struct operator* operator, int fd, size_t size, json_t *reply, struct error *err)
{
	const struct operator_verb *verb = operator_verbs;
	struct operator_caller caller;
	const char *name;
	json_t *request = NULL;
	int r = json_parse(operator->bytes, size, &request, err);

	if (r == 0)
		r = json_get_string(request, "verb", &name, err);
	if (r < 0)
		r = err->code = ERROR_USAGE;
	if (r == 0) {
		while (verb->name && strcmp(verb->name, name) != 0)
			verb++;
		if (!verb->name)
			r = error_set(err, ERROR_USAGE, "this keeper knows no verb '%.40s'", name);
	}
	if (r == 0)
		r = identify(operator, fd, &caller, err);
	if (r == 0)
		r = check_access(verb, &caller, err);
	if (r == 0)
		r = verb->answer(operator->keeper, &caller, request, reply, err);
	json_decref(request);
	return r;
}

int operator_take_source(const struct keeper *keeper, const json_t *request, bool optional,
			 struct source **ret_source, const char **ret_reason, struct error *err)
{
	const char *name, *reason = "";
	int r = json_get_string(request, "source", &name, err);

	if (r == 0 && (!optional || json_object_get(request, "reason")))
		r = json_get_string(request, "reason", &reason, err);
	if (r < 0)
		return err->code = ERROR_USAGE;
	if (!optional && reason[0] == '\0')
		return error_set(err, ERROR_USAGE,
				 "a reason is missing: it is kept in the ledger (--reason TEXT)");
	r = request_text_check(reason, "the reason", err);
	if (r < 0)
		return r;
	*ret_source = keeper_find_source(keeper, name, err);
	*ret_reason = reason;
	return *ret_source ? 0 : err->code;
}

/* --- the answer ------------------------------------------------------------------------------ */

static json_t *error_reply(const struct error *reason)
{
	json_t *reply = json_object(), *object = json_object();
	char sentence[ERROR_MESSAGE_SIZE];
	size_t used = 0;

	ASSERT(reply && object);
	/* It may quote bytes from anywhere, which need not be UTF-8. */
	for (const char *c = reason->message; *c && used < sizeof(sentence) - 1; c++)
		sentence[used++] = *c >= 0x20 && *c < 0x7f ? *c : '?';
	sentence[used] = '\0';
	json_put_u64(object, "code", (uint64_t)-reason->code);
	json_put_string(object, "sentence", sentence);
	json_put(reply, "error", object);
	return reply;
}

static int send_reply(int fd, const json_t *reply, struct error *err)
{
	static const char in_body[] = "{\"body\":true}";
	CLEANUP(freep)
	char *text = json_dumps(reply, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	CLEANUP(close_fdp)
	int body_fd = -1;
	size_t size;

	ASSERT(text);
	size = strlen(text);
	if (size <= CHANNEL_MESSAGE_MAX)
		return channel_send(fd, text, size, NULL, 0, err);
	body_fd = channel_body_new(text, size, err);
	if (body_fd < 0)
		return body_fd;
	return channel_send(fd, in_body, sizeof(in_body) - 1, &body_fd, 1, err);
}

static void on_request(void *context, int fd)
{
	struct connection *connection = context;
	struct operator* operator= connection->operator;
	struct error err = {0};
	size_t fd_count;
	ssize_t size = channel_receive(fd, operator->bytes, NULL, 0, &fd_count, &err);
	json_t *reply;

	if (size == ERROR_BUSY)
		return;
	if (size <= 0) {
		drop(connection);
		return;
	}
	reply = json_object();
	ASSERT(reply);
	if (answer(operator, fd, (size_t)size, reply, &err) < 0) {
		json_decref(reply);
		reply = error_reply(&err);
	}
	if (send_reply(fd, reply, &err) < 0)
		drop(connection);
	json_decref(reply);
}

/* A free one; the oldest has to give way if there is none, so that nobody can occupy them all. */
static struct connection *take_connection(struct operator* operator)
{
	struct connection *oldest = &operator->connections[0];

	for (size_t i = 0; i < OPERATOR_CONNECTIONS_MAX; i++) {
		struct connection *connection = &operator->connections[i];

		if (connection->fd < 0)
			return connection;
		if (connection->sequence < oldest->sequence)
			oldest = connection;
	}
	drop(oldest);
	return oldest;
}

static void on_connect(void *context, int listen_fd)
{
	struct operator* operator= context;
	struct connection *connection;
	struct error err;
	int fd = channel_accept(listen_fd, &err);

	if (fd < 0)
		return;
	connection = take_connection(operator);
	*connection = (struct connection){operator, fd, ++operator->sequence };
	if (loop_watch(operator->keeper->loop, fd, on_request, connection, &err) < 0) {
		log_warning("operator.refused", "reason", LOG_TEXT(err.message), LOG_END);
		close(fd);
		connection->fd = -1;
	}
}

int operator_start(struct operator* operator, struct error * err)
{
	return loop_watch(operator->keeper->loop, operator->listen_fd, on_connect, operator, err);
}
