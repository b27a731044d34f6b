/*
 * The name of one connection: a random UUID (RFC 4122, version 4), in the server's connection
 * attributes, in the SESSION frame, in our log and in `status`.
 *
 * Owns: nothing. Threads: any.
 */
#pragma once

#include "protocol/pull_messages.h"

#define CONNECTION_ID_SIZE PULL_CONNECTION_SIZE

void connection_id_make(char text[static CONNECTION_ID_SIZE]);
