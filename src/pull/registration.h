/*
 * Semi-sync beside the dump: whether the server is set up for it, before; and after, the end of the
 * dump at the server, so that no commit waits for who has gone.
 *
 * Closing the connection is not enough: the server finds that out when it sends the next event or
 * heartbeat, and a commit meanwhile waits for us (5 s were seen, its heartbeat period). So the
 * dump's thread is killed over a second connection, as MariaDB's own replica does. An account may
 * kill its own threads; nothing has to be granted. Servers that wait for a replica though they have
 * none (rpl_semi_sync_*_wait_no_slave or _wait_no_replica = ON) wait out their timeout all the
 * same, once.
 *
 * And a remedy for MariaDB (sql/semisync_master_ack_receiver.cc, seen with 10.11): a dump that has
 * to end waits in remove_slave() for the thread that reads acknowledgements, and that one waits for
 * a packet of any replica, or, if the dump had hardly begun, for the next replica to come. Until
 * then the server's last words for the dump do not arrive, and each new dump waits for the old one,
 * since its server id is the same.
 *
 * Owns: nothing. Threads: one. Blocks, with connection.h's time-outs.
 */
#pragma once

#include <stddef.h>

#include "binlog/flavour.h"
#include "pull/connection.h"
#include "pull/handshake.h"

#define REGISTRATION_SENTENCE_SIZE 256

/* Why the server does not do semi-sync, with what to do; "" if it does, by its settings. */
int registration_check(struct connection *connection, enum flavour flavour,
		       char absent[static REGISTRATION_SENTENCE_SIZE],
		       struct error *err) MUST_CHECK;

/*
 * The remedy: over a connection of its own, be the next replica, of server id 0 (which takes the
 * place of no other), until the first bytes come. The connection is to be freed then.
 */
int registration_wake(struct connection *connection, const struct config_source *source,
		      const struct server_facts *facts, const char *id,
		      struct error *err) MUST_CHECK;

/* End the dump that is thread @id of the server, if it is one. */
int registration_end(struct connection *connection, unsigned long id, struct error *err) MUST_CHECK;
