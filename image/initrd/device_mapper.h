/*
 * One read-only device-mapper device, made by ioctl: no library, no udev.
 *
 * The uuid begins with CRYPT-VERITY-, by which veritysetup and systemd know such a device.
 *
 * Owns: nothing afterwards; the device lives until the machine stops.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Make device @name with one target over all @sector_count sectors of 512 bytes, and start it. */
int device_mapper_create(const char *name, const char *uuid, uint64_t sector_count,
			 const char *target, const char *line, dev_t *ret_device,
			 struct error *err) MUST_CHECK;
