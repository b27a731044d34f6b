/*
 * A configuration's ways out into the network, opened: addresses and links to systemd-networkd,
 * names to /etc/hosts, to the packet filter the way to each database server, each time server and
 * the SIEM, a second fence around each unit that goes one of them, to chronyd its settings.
 *
 * Owns: nothing. Crash: the packet filter is closed at each start, and all else lies in /run.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

int ways_open(const struct config *config, struct error *err) MUST_CHECK;
