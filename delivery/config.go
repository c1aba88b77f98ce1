package delivery

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Client sends requests to a TeleCRM workspace through the Sync API. A [telecrm.Client] without a
// rate limit implements it: the lane limits the rate.
type Client interface {
	CreateLead(ctx context.Context, lead telecrm.Lead) telecrm.Answer
	FindLeads(ctx context.Context, field string, spellings []string) telecrm.Found
	GetLead(ctx context.Context, leadID string) telecrm.Shown
	UpdateLead(ctx context.Context, leadID string, fields map[string]any) telecrm.Answer
	AppendActions(ctx context.Context, leadID string, actions []telecrm.Action) telecrm.Answer
	FieldDefinitions(ctx context.Context) telecrm.Definitions
}

// AsyncClient sends leads through the Async API. A [telecrm.AsyncClient] without a rate limit
// implements it.
type AsyncClient interface {
	UpsertLead(ctx context.Context, lead telecrm.Lead) telecrm.Answer
}

// Account describes how to deliver the leads of one account.
type Account struct {
	Name string
	// Client reaches the workspace through the Sync API. If it is nil, every lead goes through the
	// Async API.
	Client Client
	// Async reaches the workspace through the Async API. It is nil without an Async token.
	Async AsyncClient
	// Updates is true if a form of the account uses [UpdateFields]. The lane then asks TeleCRM
	// which fields are locked.
	Updates bool
	// Fields caches the workspace's fields. Without it, optional values are not sent.
	Fields *WorkspaceFields
	// Key identifies the settings that reach the workspace. When it changes, an account on hold is
	// tried again at once. It must not contain the token itself.
	Key string
	// Identifier is the API name of the lead identifier. IdentifierKind says how to compare its
	// values.
	Identifier     string
	IdentifierKind telecrm.IdentifierKind
	// Rate limits the requests per second, and Burst the requests at once after a pause.
	Rate  float64
	Burst int
}

// sameWorkspace reports whether a and b reach the same workspace in the same way.
func sameWorkspace(a, b *Account) bool { return a.Key == b.Key && a.Identifier == b.Identifier }

// Config configures an [Engine].
type Config struct {
	Accounts []Account
	// RetryFor limits how long a lead is retried. After that it is parked.
	RetryFor time.Duration
	// KeepDelivered and KeepParked limit how long settled entries are kept.
	KeepDelivered, KeepParked time.Duration
	Hooks                     Hooks
	// Logger receives errors of the outbox. It may be nil.
	Logger *zap.Logger
}

// Report is the result of an attempt for operators.
type Report struct {
	// Entry is the entry as it was taken.
	Entry      outbox.Entry
	Settlement outbox.Settlement
	// Answer is TeleCRM's last answer.
	Answer telecrm.Answer
	// Losses lists the parts of a delivered lead that TeleCRM did not store as they were sent.
	Losses []telecrm.Remark
}

// Hooks receive events. Lanes call them and wait until they return. Each may be nil.
type Hooks struct {
	// Attempt is called when an attempt begins. The attempt runs with the returned context, which
	// must be derived from ctx, and calls ended with its settlement. While a visitor waits for the
	// outcome, ctx has the values of the visitor's request.
	Attempt func(ctx context.Context, entry outbox.Entry) (under context.Context, ended func(outbox.Settlement))
	// Settled is called after each attempt.
	Settled func(Report)
	// Held is called when an account is put on hold.
	Held func(account, reason string)
	// Resumed is called when an account is no longer on hold.
	Resumed func(Recovery)
	// Troubled is called when an account gets into trouble, and when that gets worse.
	Troubled func(Trouble)
	// Recovered is called when an account that got into trouble is sending again.
	Recovered func(Recovery)
	// Orphaned is called for each account that has waiting entries but is not configured.
	Orphaned func(account string, entries int)
}
