#include "program/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "program/sandbox_rules.h"

static const uint64_t namespaces[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
				      CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};

static int failed(struct error *err, const char *what)
{
	return error_set_errno(err, ERROR_FAILED, errno, "dropping privileges: %s", what);
}

/* Nothing regains a capability by execve(); possible only as long as we have CAP_SETPCAP. */
static int empty_bounding_set(struct error *err)
{
	for (cap_value_t value = 0; cap_get_bound(value) >= 0; value++) {
		if (cap_drop_bound(value) < 0 && errno != EPERM)
			return failed(err, "bounding set");
	}
	return 0;
}

static int switch_user(const char *name, struct error *err)
{
	const struct passwd *user;

	if (geteuid() != 0)
		return error_set(err, ERROR_USAGE,
				 "only root can switch to user '%s'; start without --user", name);
	errno = 0;
	user = getpwnam(name);
	if (!user)
		return error_set(err, ERROR_USAGE,
				 "there is no user '%s'; make the users with tools/create_users or "
				 "systemd-sysusers",
				 name);
	if (user->pw_uid == 0)
		return error_set(err, ERROR_USAGE, "user '%s' is root", name);
	if (initgroups(name, user->pw_gid) < 0)
		return failed(err, "groups");
	if (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0)
		return failed(err, "group");
	if (setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return failed(err, "user");
	return 0;
}

static void free_capp(cap_t *capabilities)
{
	if (*capabilities)
		cap_free(*capabilities);
}

/* All sets empty, but CAP_LINUX_IMMUTABLE permitted and effective where it is wanted and there. */
static int reduce_capabilities(bool keep_immutable, struct error *err)
{
	static const cap_value_t immutable[] = {CAP_LINUX_IMMUTABLE};
	CLEANUP(free_capp)
	cap_t now = cap_get_proc();
	CLEANUP(free_capp)
	cap_t wanted = cap_init();
	cap_flag_value_t permitted = CAP_CLEAR;

	if (!now || !wanted ||
	    cap_get_flag(now, CAP_LINUX_IMMUTABLE, CAP_PERMITTED, &permitted) < 0)
		return failed(err, "reading capabilities");
	if (keep_immutable && permitted == CAP_SET &&
	    (cap_set_flag(wanted, CAP_PERMITTED, 1, immutable, CAP_SET) < 0 ||
	     cap_set_flag(wanted, CAP_EFFECTIVE, 1, immutable, CAP_SET) < 0))
		return failed(err, "choosing capabilities");
	if (cap_reset_ambient() < 0 && errno != EINVAL)
		return failed(err, "ambient capabilities");
	if (cap_set_proc(wanted) < 0)
		return failed(err, "capabilities");
	return 0;
}

/* No core dump and no debugger: there are keys in this memory. */
static int hide_memory(struct error *err)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return failed(err, "core dumps");
#ifdef BINVAULT_SANITIZED
	/* The leak check traces us, and a change of user forbids that. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return failed(err, "dumpable");
#else
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failed(err, "dumpable");
#endif
	return 0;
}

int sandbox_drop_privileges(const struct sandbox_options *options, struct error *err)
{
	const pid_t parent = getppid();
	int death_signal = 0;

	if (prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0) < 0)
		return failed(err, "parent-death signal");
	if (options->keep_immutable && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return failed(err, "keeping capabilities");
	if (empty_bounding_set(err) < 0)
		return err->code;
	if (options->user && switch_user(options->user, err) < 0)
		return err->code;
	if (reduce_capabilities(options->keep_immutable, err) < 0)
		return err->code;
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return failed(err, "keeping capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(err, "no new privileges");
	/* Both were changed by the change of user. */
	if (death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) < 0)
		return failed(err, "parent-death signal");
	/* It may have died while there was no signal for that. */
	if (death_signal != 0 && getppid() != parent)
		return error_set(err, ERROR_UNAVAILABLE,
				 "the process that started this one has ended");
	return hide_memory(err);
}

bool sandbox_has_immutable(void)
{
	CLEANUP(free_capp)
	cap_t now = cap_get_proc();
	cap_flag_value_t effective = CAP_CLEAR;

	return now && cap_get_flag(now, CAP_LINUX_IMMUTABLE, CAP_EFFECTIVE, &effective) == 0 &&
	       effective == CAP_SET;
}

static int add_rule(scmp_filter_ctx filter, const struct sandbox_rule *rule)
{
	struct scmp_arg_cmp conditions[SANDBOX_CONDITIONS_MAX];
	int r;

	for (unsigned i = 0; i < rule->condition_count; i++)
		conditions[i] = SCMP_CMP(rule->conditions[i].argument, SCMP_CMP_MASKED_EQ,
					 rule->conditions[i].mask, rule->conditions[i].value);
	r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->number, rule->condition_count,
				   conditions);
	/* A call that this architecture never had, or that a wider rule allows already. */
	return r == -EDOM || r == -EEXIST ? 0 : r;
}

static int add_role(scmp_filter_ctx filter, enum sandbox_role role)
{
	const struct sandbox_group *const *group;
	int r;

	for (group = sandbox_groups(role); *group; group++) {
		for (size_t i = 0; i < (*group)->rule_count; i++) {
			r = add_rule(filter, &(*group)->rules[i]);
			if (r < 0)
				return r;
		}
	}
	/* Its flags stand in memory, which a filter cannot read: glibc then uses clone(). */
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

int sandbox_seal(enum sandbox_role role, struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return error_set(err, ERROR_FAILED, "seccomp: no memory for the filter");
	/* No TSYNC if it is impossible: then a thread would be left outside, so it is an error. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_role(filter, role);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return error_set_errno(err, ERROR_FAILED, -r,
				       "seccomp: the kernel does not take the filter");
	return 0;
}

int sandbox_confine_command(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	size_t count;
	const int *numbers = sandbox_forbidden(&count);
	int r = 0;

	if (!filter)
		return error_set(err, ERROR_FAILED, "seccomp: no memory for the filter");
	for (size_t i = 0; i < count && r == 0; i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), numbers[i], 0);
		/* A call that this architecture never had. */
		if (r == -EDOM || r == -EEXIST)
			r = 0;
	}
	/* Namespaces by clone() as well; the flags of clone3() stand in memory. */
	for (size_t i = 0; i < ARRAY_LENGTH(namespaces) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return error_set_errno(err, ERROR_FAILED, -r,
				       "seccomp: the kernel does not take the filter");
	return 0;
}
