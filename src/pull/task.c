#include "pull/task.h"

#include <stdio.h>
#include <string.h>

#include "pull/account.h"
#include "pull/connection.h"
#include "pull/credential.h"
#include "pull/preflight.h"
#include "pull/preflight_facts.h"

#define SERVER_NAME_SIZE 300
#define HOST_SIZE	 256

static void server_name(const struct config_server *server, char text[static SERVER_NAME_SIZE])
{
	snprintf(text, SERVER_NAME_SIZE, "%s:%u", server->host, (unsigned)server->port);
}

/* Only a server of the configuration: our password goes nowhere else. */
static int find_server(const struct task_options *options, const struct config_server **ret_server,
		       struct error *err)
{
	const struct config_source *source = options->source;
	char name[SERVER_NAME_SIZE];

	*ret_server = &source->servers[0];
	if (!options->server)
		return 0;
	for (size_t i = 0; i < source->server_count; i++) {
		*ret_server = &source->servers[i];
		server_name(*ret_server, name);
		if (strcmp(options->server, name) == 0 ||
		    strcmp(options->server, (*ret_server)->host) == 0)
			return 0;
	}
	return error_set(err, ERROR_USAGE,
			 "'%s' is not one of the `servers` of source '%s': write it as it stands "
			 "there, HOST:PORT",
			 options->server, source->name);
}

/* --- grants ---------------------------------------------------------------------------------- */

struct seen { /* of a server */
	enum flavour flavour;
	char version[64];
	char host[HOST_SIZE]; /* where we come from */
};

static int look(const struct task_options *options, const struct config_server *server,
		struct seen *ret_seen, struct error *err)
{
	const struct config_source *source = options->source;
	CLEANUP(credential_freep)
	struct credential *credential = credential_new(source, options->runner_fd);
	CLEANUP(connection_freep)
	struct connection *connection = NULL;
	char name[SERVER_NAME_SIZE];
	struct error reason;
	int r = credential_wait(credential, &reason);

	if (r >= 0)
		r = connection_open(source, server, credential, "", &connection, &reason);
	server_name(server, name);
	if (r < 0)
		return error_set(err, r,
				 "%s. To see the SQL without a connection, do: binvault source "
				 "grants %s --flavour=mysql (or mariadb)",
				 reason.message, source->name);
	ret_seen->flavour = flavour_of_version(connection_version(connection));
	snprintf(ret_seen->version, sizeof(ret_seen->version), "%s",
		 connection_version(connection));
	r = connection_value(connection, "SELECT SUBSTRING_INDEX(USER(), '@', -1)", ret_seen->host,
			     sizeof(ret_seen->host), err);
	return r < 0 ? error_prefix(err, "%s", name) : 0;
}

static int grants(const struct task_options *options, const char *flavour, json_t *answer,
		  struct error *err)
{
	struct account_plan plan = {.source = options->source};
	const struct config_server *server;
	json_t *lines = json_array();
	char name[SERVER_NAME_SIZE];
	struct seen seen;

	json_put(answer, "statements", lines);
	if (find_server(options, &server, err) < 0)
		return err->code;
	if (strcmp(flavour, "mysql") == 0) {
		plan.flavour = FLAVOUR_MYSQL;
	} else if (strcmp(flavour, "mariadb") == 0) {
		plan.flavour = FLAVOUR_MARIADB;
	} else if (flavour[0] != '\0') {
		return error_set(err, ERROR_USAGE, "'%s' is not one of: mysql | mariadb", flavour);
	} else {
		if (look(options, server, &seen, err) < 0)
			return err->code;
		plan.flavour = seen.flavour;
		plan.host = seen.host;
		server_name(server, name);
		json_put_string(answer, "server", name);
		json_put_string(answer, "version", seen.version);
	}
	json_put_string(answer, "flavour", plan.flavour == FLAVOUR_MYSQL ? "mysql" : "mariadb");
	return account_statements(&plan, lines, err);
}

/* --- test ------------------------------------------------------------------------------------ */

static int read_facts(const struct config_source *source, const struct config_server *server,
		      struct credential *credential, struct preflight_facts **ret_facts,
		      struct error *err)
{
	CLEANUP(connection_freep)
	struct connection *connection = NULL;
	struct binlog_list list = {0};
	const struct preflight_request request = {source, server, &list};
	int r = connection_open(source, server, credential, "", &connection, err);

	if (r == 0)
		r = preflight_facts_read(connection, &request, ret_facts, err);
	binlog_list_release(&list);
	return r;
}

static json_t *test_server(const struct config_source *source, const struct config_server *server,
			   struct credential *credential)
{
	CLEANUP(preflight_facts_freep)
	struct preflight_facts *facts = NULL;
	char name[SERVER_NAME_SIZE];
	json_t *report;
	struct error err;
	int r = read_facts(source, server, credential, &facts, &err);

	if (r < 0) {
		report = json_object();
		json_put_bool(report, "ok", false);
		json_put_string(report, "error", err.message);
		/* That a person must change something, or that time may heal it. */
		json_put_bool(report, "refused", r == ERROR_REFUSED || r == ERROR_USAGE);
	} else {
		report = preflight_report(facts);
	}
	server_name(server, name);
	json_put_string(report, "server", name);
	return report;
}

static int test(const struct task_options *options, json_t *answer, struct error *err)
{
	const struct config_source *source = options->source;
	CLEANUP(credential_freep)
	struct credential *credential = credential_new(source, options->runner_fd);
	const struct config_server *server;
	json_t *servers = json_array();
	int r = find_server(options, &server, err);

	json_put(answer, "servers", servers);
	if (r == 0)
		r = credential_wait(credential, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < source->server_count; i++) {
		if (!options->server || server == &source->servers[i])
			json_array_append_new(servers,
					      test_server(source, &source->servers[i], credential));
	}
	return 0;
}

/* "grants" or "grants:mysql": what stands behind the colon, "" for nothing; NULL if it is no such
 * task. */
static const char *argument_of(const char *task, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(task, name, length) != 0 || (task[length] && task[length] != ':'))
		return NULL;
	return task[length] ? task + length + 1 : "";
}

int task_run(const struct task_options *options, json_t **ret_answer, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *answer = json_object();
	const char *flavour = argument_of(options->task, "grants");
	int r;

	json_put(answer, "schema", json_integer(1));
	json_put_string(answer, "source", options->source->name);
	if (flavour)
		r = grants(options, flavour, answer, err);
	else if (strcmp(options->task, "test") == 0)
		r = test(options, answer, err);
	else
		r = error_set(err, ERROR_USAGE, "there is no task '%s'", options->task);
	if (r < 0)
		return r;
	*ret_answer = TAKE(answer);
	return 0;
}
