#include "pull/registration.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "pull/place.h"

#define WAKE_MSEC 1000

/* Columns of SHOW PROCESSLIST. */
#define PROCESS_ID	0
#define PROCESS_COMMAND 4

struct setting {
	char name[64]; /* "" if there is none */
	bool on;
};

static int take_setting(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct setting *setting = context;

	(void)err;
	if (count < 2 || !columns[0] || !columns[1])
		return 0;
	snprintf(setting->name, sizeof(setting->name), "%s", columns[0]);
	setting->on = strcasecmp(columns[1], "ON") == 0 || strcmp(columns[1], "1") == 0;
	return 0;
}

int registration_check(struct connection *connection, enum flavour flavour,
		       char absent[static REGISTRATION_SENTENCE_SIZE], struct error *err)
{
	struct setting setting = {0};
	int r = connection_table(connection,
				 "SHOW GLOBAL VARIABLES WHERE Variable_name IN "
				 "('rpl_semi_sync_source_enabled','rpl_semi_sync_master_enabled')",
				 take_setting, &setting, err);

	if (r < 0)
		return r;
	absent[0] = '\0';
	if (!setting.name[0])
		snprintf(absent, REGISTRATION_SENTENCE_SIZE,
			 "its plugin is not loaded. Do on the server: %s",
			 flavour_traits(flavour)->semi_sync_install);
	else if (!setting.on)
		snprintf(absent, REGISTRATION_SENTENCE_SIZE,
			 "%s is OFF. Do on the server: SET GLOBAL %s=ON", setting.name,
			 setting.name);
	return 0;
}

struct thread {
	unsigned long id;
	bool dumps;
};

static int take_thread(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct thread *thread = context;

	(void)err;
	if (count > PROCESS_COMMAND && columns[PROCESS_ID] && columns[PROCESS_COMMAND] &&
	    strtoul(columns[PROCESS_ID], NULL, 10) == thread->id &&
	    strncmp(columns[PROCESS_COMMAND], "Binlog Dump", strlen("Binlog Dump")) == 0)
		thread->dumps = true;
	return 0;
}

int registration_wake(struct connection *connection, const struct config_source *source,
		      const struct server_facts *facts, const char *id, struct error *err)
{
	struct config_source nobody = *source;
	struct session session;
	struct pollfd fd;
	int r;

	nobody.server_id = 0;
	/* "": the server's first file, which is there. */
	r = handshake_dump(connection, &nobody, facts, id, "", PLACE_FIRST_POSITION, &session, err);
	if (r < 0)
		return r;
	fd = (struct pollfd){.fd = connection_fd(connection), .events = POLLIN};
	(void)poll(&fd, 1, WAKE_MSEC);
	return 0;
}

int registration_end(struct connection *connection, unsigned long id, struct error *err)
{
	struct thread thread = {.id = id};
	char statement[64];
	/* Behind a balancer this may be another server, where the number is another's. */
	int r = connection_table(connection, "SHOW PROCESSLIST", take_thread, &thread, err);

	if (r < 0 || !thread.dumps)
		return r;
	snprintf(statement, sizeof(statement), "KILL %lu", id);
	return connection_execute(connection, statement, err);
}
