// Package telecrm is a client of TeleCRM's lead API.
//
// A [Client] uses the Sync API (https://docs.telecrm.in/sync-api/overview), which reports the
// outcome for each lead. It turns every possible response, even a broken or missing one, into a
// [Verdict] that a caller can act on:
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
//	case telecrm.Duplicate: // another lead has the identifier
//	case telecrm.Rejected: // this lead will never be accepted as it is
//	case telecrm.Hold: // no lead is accepted until the account is fixed
//	case telecrm.Retry: // try again later
//	}
//
// After an attempt without a response, a [Duplicate] may be the lead of that attempt.
// [Client.FindLeads] shows when it was created:
//
//	kind := telecrm.PhoneIdentifier
//	found := client.FindLeads(ctx, "phone", kind.Spellings("918123456789"))
//	for _, lead := range found.Leads {
//		if kind.Same(lead.Identifier, "918123456789") { // lead.ID, lead.CreatedOn
//
// A second enquiry is added to the existing lead:
//
//	answer = client.UpdateLead(ctx, id, map[string]any{"city": "Pune"})
//	answer = client.AppendActions(ctx, id, []telecrm.Action{asked})
//	switch answer.Verdict {
//	case telecrm.Done: // answer.Remarks, answer.Actions
//	case telecrm.Missing: // the lead was deleted
//
// Appending twice makes two entries. After an attempt without a response, [Client.GetLead] and
// [SameAction] show whether it made one. [Client.FieldDefinitions] shows which fields an update
// cannot change.
//
// An [AsyncClient] uses the Async API (https://docs.telecrm.in/async-api/overview), which creates
// or updates a lead in one request and never reports the outcome.
//
// The clients do not retry, except that Go's transport may repeat a read on a closed idle
// connection. They do not follow redirects, read at most [MaxAnswerBytes] of a response, and never
// reveal their token in errors or formatted values.
package telecrm
