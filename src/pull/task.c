#include "pull/task.h"

#include <stdio.h>
#include <string.h>

#include "pull/account.h"
#include "pull/connection.h"
#include "pull/credential.h"

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

int task_run(const struct task_options *options, json_t **ret_answer, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *answer = json_object();
	const char *colon = strchr(options->task, ':');
	size_t length = colon ? (size_t)(colon - options->task) : strlen(options->task);
	int r;

	json_put(answer, "schema", json_integer(1));
	json_put_string(answer, "source", options->source->name);
	if (length == strlen("grants") && memcmp(options->task, "grants", length) == 0)
		r = grants(options, colon ? colon + 1 : "", answer, err);
	else
		r = error_set(err, ERROR_USAGE, "there is no task '%s'", options->task);
	if (r < 0)
		return r;
	*ret_answer = TAKE(answer);
	return 0;
}
