#include "initrd/device_mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

#define CONTROL "/dev/mapper/control"

/* What the kernel reads: a header, then a target, then the target's line. */
struct request {
	struct dm_ioctl header;
	struct dm_target_spec target;
	char line[4096];
};

static struct request request_for(const char *name, const char *uuid)
{
	struct request request = {
		.header =
			{
				.version = {DM_VERSION_MAJOR, 0, 0},
				.data_size = sizeof(request),
				.data_start = offsetof(struct request, target),
				.flags = DM_READONLY_FLAG,
			},
	};

	snprintf(request.header.name, sizeof(request.header.name), "%s", name);
	snprintf(request.header.uuid, sizeof(request.header.uuid), "%s", uuid);
	return request;
}

static int load_table(int control, const char *name, uint64_t sector_count, const char *target,
		      const char *line, struct error *err)
{
	struct request request = request_for(name, "");

	if (strlen(line) >= sizeof(request.line))
		return error_set(err, ERROR_USAGE, "a table line of %zu bytes", strlen(line));
	request.header.target_count = 1;
	request.target.length = sector_count;
	request.target.next = sizeof(request.target) + sizeof(request.line);
	snprintf(request.target.target_type, sizeof(request.target.target_type), "%s", target);
	memcpy(request.line, line, strlen(line) + 1);
	if (ioctl(control, DM_TABLE_LOAD, &request) < 0)
		return error_set_errno(err, ERROR_DEFECT, errno, "the %s table of %s", target,
				       name);
	return 0;
}

int device_mapper_create(const char *name, const char *uuid, uint64_t sector_count,
			 const char *target, const char *line, dev_t *ret_device, struct error *err)
{
	CLEANUP(close_fdp)
	int control = open(CONTROL, O_RDWR | O_CLOEXEC);
	struct request create = request_for(name, uuid);
	struct request resume = request_for(name, "");

	if (control < 0)
		return error_set_errno(err, ERROR_FAILED, errno, CONTROL);
	if (ioctl(control, DM_DEV_CREATE, &create) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "creating %s", name);
	if (load_table(control, name, sector_count, target, line, err) < 0)
		return err->code;
	/* Without DM_SUSPEND_FLAG this starts the device with the table that was loaded. */
	if (ioctl(control, DM_DEV_SUSPEND, &resume) < 0)
		return error_set_errno(err, ERROR_DEFECT, errno, "starting %s", name);
	*ret_device = (dev_t)create.header.dev;
	return 0;
}
