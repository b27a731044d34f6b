/*
 * How far the audit trail is forwarded, for `status` and `check`: from the file that the forwarder
 * keeps for whoever asks, so that no process has to talk to another.
 */
#pragma once

#include "base/json.h"
#include "config/config.h"

/*
 * With [siem], put the object "siem" into @status: "server", "forwarded", "leaves", "behind",
 * "until", "connected", "rewound", "sentence", "normal". If that is false, "normal" of @status
 * becomes false.
 */
void siem_add(const struct config *config, json_t *status);

/* Its line, if there is one. */
void siem_print(const json_t *status);
