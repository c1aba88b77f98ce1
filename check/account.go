package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// API is what [Config.Ask] needs of a [telecrm.Client].
type API interface {
	FieldDefinitions(ctx context.Context) telecrm.Definitions
	ActionDefinitions(ctx context.Context) telecrm.ActionDefinitions
	Pipeline(ctx context.Context) telecrm.Pipeline
	Member(ctx context.Context, email string) telecrm.Member
}

// Ask asks TeleCRM about the workspaces of all accounts that can be asked.
func (c *Config) Ask(ctx context.Context) {
	for _, a := range c.Accounts {
		c.AskFor(ctx, a)
	}
}

// AskFor asks TeleCRM about the workspace of an account that can be asked. If the workspace is known
// already, it asks only for members of the team that nobody has asked for.
func (c *Config) AskFor(ctx context.Context, a *Account) {
	if a.API == nil {
		return
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	if a.Workspace == nil {
		a.Workspace = ask(ctx, a.API, now)
	}
	if !a.Workspace.Fields.OK() {
		return
	}
	for _, site := range c.Sites {
		for _, f := range site.Forms {
			if f.Account == a {
				a.Workspace.askMembers(ctx, a.API, f)
			}
		}
	}
}

// ask asks TeleCRM for the facts about an account. It sends a handful of requests that only read, and
// none after the account was refused.
func ask(ctx context.Context, api API, now func() time.Time) *Workspace {
	w := &Workspace{Fields: api.FieldDefinitions(ctx), AskedAt: now()}
	if f := w.Fields.Failure; f != nil {
		w.Actions.Failure, w.Pipeline.Failure = f, f
		return w
	}
	w.Actions, w.Pipeline = api.ActionDefinitions(ctx), api.Pipeline(ctx)
	return w
}

// askMembers asks for the members of the team that the form names.
func (w *Workspace) askMembers(ctx context.Context, api API, f *Form) {
	if w.Members == nil {
		w.Members = make(map[string]telecrm.Member)
	}
	for _, v := range f.values() {
		if v.kind != fieldtype.Assignee {
			continue
		}
		for _, email := range v.constants() {
			if _, asked := w.Members[email]; !asked {
				w.Members[email] = api.Member(ctx, email)
			}
		}
	}
}

// IsWhole reports whether all of the workspace could be read.
func (w *Workspace) IsWhole() bool {
	for _, member := range w.Members {
		if !member.OK() {
			return false
		}
	}
	return w.Fields.OK() && w.Actions.OK() && w.Pipeline.OK()
}

// maxClockSkew is how far the clocks may differ. Answers take time, and dates are in seconds.
const maxClockSkew = 2 * time.Minute

// checkAccount reports what is wrong with an account as a whole.
func (r *Report) checkAccount(a *Account) {
	if strings.Contains(a.EnterpriseID, ":") {
		r.reportAccount(a, TokenAsID, "enterprise_id", "enterprise_id 66aa00bb11cc22dd33ee44ff",
			"the enterprise id has a colon, as tokens do; write the 24-character id that TeleCRM shows beside them")
	}
	w := a.Workspace
	if w == nil {
		return
	}
	if failure := w.Fields.Failure; failure != nil {
		r.addFailure(a, *failure)
		return
	}
	for what, failure := range map[string]*telecrm.Answer{"actions": w.Actions.Failure, "statuses": w.Pipeline.Failure} {
		if failure != nil {
			r.addUnverified(a, what, *failure)
		}
	}
	for _, member := range w.Members {
		if !member.OK() {
			r.addUnverified(a, "team members", *member.Failure)
		}
	}
	if w.Pipeline.OK() && len(w.Pipeline.Statuses) == 0 {
		r.addUnverified(a, "statuses", telecrm.Answer{Verdict: telecrm.Retry, Status: 200})
	}
	if i := slices.IndexFunc(w.Fields.Fields, func(f telecrm.FieldDefinition) bool { return f.Identifier }); i >= 0 && a.Identifier != "" {
		if name := w.Fields.Fields[i].APIName; name != a.Identifier {
			r.reportAccount(a, WrongIdentifier, "identifier", "identifier "+suggest.Quote(name),
				"the workspace identifies leads by %s, but the config says %s", name, a.Identifier)
		}
	}
	if skew := w.AskedAt.Sub(w.Fields.ServerTime); !w.Fields.ServerTime.IsZero() && skew.Abs() > maxClockSkew {
		r.reportAccount(a, ClockOff, "", "timedatectl set-ntp true",
			"this machine's clock is %s %s TeleCRM's; times in leads, challenges and certificates depend on it", skew.Abs().Round(time.Second), aheadOrBehind(skew))
	}
}

func aheadOrBehind(skew time.Duration) string {
	if skew > 0 {
		return "ahead of"
	}
	return "behind"
}

// addFailure reports why the workspace could not be read.
func (r *Report) addFailure(a *Account, failure telecrm.Answer) {
	isRefused := failure.Status == 401 || failure.Code == telecrm.CodeNotAuthorized || failure.Code == telecrm.CodeEnterpriseNotFound
	switch {
	case failure.Verdict != telecrm.Hold:
		r.addUnverified(a, "fields", failure)
		return
	case isRefused && strings.Contains(strings.ToLower(failure.Message), "enterprise"):
		r.reportAccount(a, WrongEnterpriseID, "enterprise_id", "enterprise_id 66aa00bb11cc22dd33ee44ff",
			"TeleCRM does not know the enterprise id, or the token belongs to another one (%s); copy both again from Settings, Website and API", failure.Reason())
	case isRefused:
		r.reportAccount(a, TokenRefused, "token", "token {env.TELECRM_TOKEN}",
			"TeleCRM refuses the token (%s): it may be deleted, cut off when it was copied, or of the wrong type, since token needs a Sync token and async_token an Async one", failure.Reason())
	case failure.Status >= 300 && failure.Status < 400, failure.Status == 404, failure.Status == 405:
		r.reportAccount(a, WrongBaseURL, "base_url", "base_url "+telecrm.DefaultBaseURL,
			"the base URL does not lead to TeleCRM's Sync API (%s)", failure.Reason())
	default:
		r.reportAccount(a, AccountOnHold, "", "",
			"TeleCRM refuses all requests of the account (%s); see whether the subscription has ended", failure.Reason())
	}
	r.unverified(fmt.Sprintf("the workspace of account %s", a.Name))
}

// reportAccount reports what is wrong with a line of the account.
func (r *Report) reportAccount(a *Account, code Code, line, remedy, format string, args ...any) {
	r.add(Finding{
		Code: code, Account: a.Name, Place: a.at(line),
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// addUnverified reports that part of the workspace could not be read.
func (r *Report) addUnverified(a *Account, what string, failure telecrm.Answer) {
	r.add(Finding{
		Code: WorkspaceUnavailable, Account: a.Name, Place: a.Place,
		Message: fmt.Sprintf("the workspace's %s could not be read (%s), so the config was not compared with them; try again later", what, failure.Reason()),
	})
	r.unverified(fmt.Sprintf("the %s of account %s", what, a.Name))
}

func (r *Report) unverified(what string) {
	if !slices.Contains(r.Unverified, what) {
		r.Unverified = append(r.Unverified, what)
	}
}
