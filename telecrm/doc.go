// Package telecrm is a client of TeleCRM's lead API.
//
// A [Client] speaks the Sync API (https://docs.telecrm.in/sync-api/overview),
// whose answers say what became of a lead, and turns every possible answer,
// broken and missing ones too, into one [Verdict] that a caller can act on:
//
//	client, err := telecrm.New(telecrm.Config{
//		Token:        telecrm.Token(os.Getenv("TELECRM_TOKEN")),
//		EnterpriseID: "66aa00bb11cc22dd33ee44ff",
//	})
//	if err != nil {
//		return err
//	}
//	defer client.CloseIdleConnections()
//
//	answer := client.CreateLead(ctx, telecrm.Lead{
//		Fields: map[string]any{"phone": "918123456789", "name": "Ravi Menon"},
//	})
//	switch answer.Verdict {
//	case telecrm.Created: // answer.LeadID, answer.Remarks
//	case telecrm.Duplicate: // the identifier is taken
//	case telecrm.Rejected: // this lead can never be created as it is
//	case telecrm.Hold: // nothing this account sends can work until its settings change
//	case telecrm.Retry: // later
//	}
//
// After an attempt that ended without an answer, [Duplicate] may mean that the
// lead there is the very one that was sent. [Client.FindLeads] shows when it
// was created:
//
//	kind := telecrm.PhoneIdentifier
//	found := client.FindLeads(ctx, "phone", kind.Spellings("918123456789"))
//	for _, lead := range found.Leads {
//		if kind.Same(lead.Identifier, "918123456789") { // lead.ID, lead.CreatedOn
//
// What somebody has to say who is known already goes to the lead that is there:
//
//	answer = client.UpdateLead(ctx, id, map[string]any{"city": "Pune"})
//	answer = client.AppendActions(ctx, id, []telecrm.Action{asked})
//	switch answer.Verdict {
//	case telecrm.Done: // answer.Remarks, answer.Actions
//	case telecrm.Missing: // the lead was deleted
//
// Appending twice makes two entries. [Client.GetLead] and [SameAction] show
// whether an attempt that ended without an answer made one, and
// [Client.FieldDefinitions] shows which fields an update cannot change.
//
// An [AsyncClient] speaks the Async API
// (https://docs.telecrm.in/async-api/overview), which creates or updates in one
// call and never says what became of it.
//
// The clients never retry by themselves; only Go's transport may repeat a read
// whose kept connection died. They never follow a redirect, read at most
// [MaxAnswerBytes] of an answer, and show their token in no error and no
// formatted value.
package telecrm
