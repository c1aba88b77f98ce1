package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// An answer that the page itself offers never keeps a visitor from sending the form. Everything else
// that a field does not take still does.
func TestAnswersThatThePageOffers(t *testing.T) {
	t.Parallel()
	product := mapping.Field{Name: "product", Type: "dropdown", Required: true, Options: []string{"Kitchen"}}
	tags := mapping.Field{Name: "interests", Type: "tags", Options: []string{"Garden", "Roof"}}
	note := mapping.Action{Code: "1042", Fields: []mapping.Field{
		{Name: "size", Type: "number"}, {Name: "slot", Options: []string{"Morning"}}, {Name: "note", Input: "message"},
	}}
	values := func(values ...string) []mapping.Offer {
		var offers []mapping.Offer
		for _, value := range values {
			offers = append(offers, mapping.Offer{Value: value})
		}
		return offers
	}
	kitchen := mapping.Offers{"product": values("Kitchen", "Kitchen & bath")}
	for name, test := range map[string]struct {
		config  mapping.Config
		offers  mapping.Offers
		sent    []string
		fields  map[string]any // without the id
		note    any            // of the action, if there is one
		problem fieldtype.Code
	}{
		"listed":             {mapping.Config{Fields: []mapping.Field{product}}, kitchen, []string{"product", "kitchen"}, map[string]any{"product": "Kitchen"}, nil, ""},
		"not listed":         {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, kitchen, []string{"product", "Kitchen & bath"}, map[string]any{"more": "Product: Kitchen & bath"}, nil, ""},
		"beside others":      {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, kitchen, []string{"product", "Kitchen & bath", "city", "Pune"}, map[string]any{"more": "City: Pune\nProduct: Kitchen & bath"}, nil, ""},
		"own label":          {mapping.Config{Fields: []mapping.Field{{Name: "product", Label: "Your room", Type: "dropdown", Options: []string{"Kitchen"}}}, Unmapped: "more"}, kitchen, []string{"product", "Kitchen & bath"}, map[string]any{"more": "Your room: Kitchen & bath"}, nil, ""},
		"note":               {mapping.Config{Fields: []mapping.Field{product}, Actions: []mapping.Action{note}}, kitchen, []string{"product", "Kitchen & bath", "message", "Hello"}, map[string]any{}, "Hello\nProduct: Kitchen & bath", ""},
		"empty note":         {mapping.Config{Fields: []mapping.Field{product}, Actions: []mapping.Action{note}}, kitchen, []string{"product", "Kitchen & bath"}, map[string]any{}, "Product: Kitchen & bath", ""},
		"note that is set":   {mapping.Config{Fields: []mapping.Field{product}, Actions: []mapping.Action{{Code: "1042", Set: []mapping.Setting{{Name: "note", Value: "Enquiry"}}}}}, kitchen, []string{"product", "Kitchen & bath"}, map[string]any{}, "Enquiry\nProduct: Kitchen & bath", ""},
		"of the action":      {mapping.Config{Actions: []mapping.Action{note}}, mapping.Offers{"slot": values("Evening")}, []string{"slot", "Evening"}, map[string]any{}, "Slot: Evening", ""},
		"of another type":    {mapping.Config{Actions: []mapping.Action{note}}, mapping.Offers{"size": values("2 BHK")}, []string{"size", "2 BHK"}, map[string]any{}, "Size: 2 BHK", ""},
		"unmapped before":    {mapping.Config{Fields: []mapping.Field{product}, Actions: []mapping.Action{note}, Unmapped: "more"}, kitchen, []string{"product", "Kitchen & bath"}, map[string]any{"more": "Product: Kitchen & bath"}, nil, ""},
		"nowhere":            {mapping.Config{Fields: []mapping.Field{product}}, kitchen, []string{"product", "Kitchen & bath"}, map[string]any{}, nil, ""},
		"one of two tags":    {mapping.Config{Fields: []mapping.Field{tags}, Unmapped: "more"}, mapping.Offers{"interests": values("Roof", "Wall, inside")}, []string{"interests", "Roof", "interests", "Wall, inside"}, map[string]any{"interests": []string{"Roof"}, "more": "Interests: Wall, inside"}, nil, ""},
		"hidden fallback":    {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, mapping.Offers{"product": values("Kitchen", "Bath")}, []string{"product", "Kitchen", "product", "Bath"}, map[string]any{"more": "Product: Kitchen, Bath"}, nil, ""},
		"made up":            {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, kitchen, []string{"product", "Kitchen & bathroom"}, map[string]any{}, nil, fieldtype.NotAnOption},
		"other case":         {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, kitchen, []string{"product", "kitchen & bath"}, map[string]any{}, nil, fieldtype.NotAnOption},
		"made up tag":        {mapping.Config{Fields: []mapping.Field{tags}, Unmapped: "more"}, mapping.Offers{"interests": values("Wall")}, []string{"interests", "Wall", "interests", "Attic"}, map[string]any{}, nil, fieldtype.NotAnOption},
		"of another input":   {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, mapping.Offers{"room": values("Bath")}, []string{"product", "Bath"}, map[string]any{}, nil, fieldtype.NotAnOption},
		"asks to choose":     {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, mapping.Offers{"product": {{Value: "0", Label: "Choose a room"}}}, []string{"product", "0"}, map[string]any{}, nil, fieldtype.NotAnOption},
		"left empty":         {mapping.Config{Fields: []mapping.Field{product}, Unmapped: "more"}, kitchen, []string{"product", ""}, map[string]any{}, nil, fieldtype.RequiredEmpty},
		"identifier":         {mapping.Config{Fields: []mapping.Field{{Name: "phone"}}, Identifier: "phone", Unmapped: "more", Locale: mapping.Locale{Country: "IN"}}, mapping.Offers{"phone": values("none")}, []string{"phone", "none"}, map[string]any{}, nil, fieldtype.PhoneWords},
		"other is a problem": {mapping.Config{Fields: []mapping.Field{product, {Name: "name", Required: true}}, Unmapped: "more"}, kitchen, []string{"product", "Kitchen & bath"}, map[string]any{"more": "Product: Kitchen & bath"}, nil, fieldtype.RequiredMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft := leadOffered(t, test.config, test.offers, test.sent...)
			var problem fieldtype.Code
			for _, p := range draft.Problems {
				problem = p.Code
			}
			if problem != test.problem || len(draft.Problems) > 1 {
				t.Fatalf("problem %q, want %q", problem, test.problem)
			}
			if test.problem != "" && test.problem != fieldtype.RequiredMissing {
				return
			}
			delete(draft.Lead.Fields, "id")
			if diff := cmp.Diff(test.fields, draft.Lead.Fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if len(draft.Lead.Actions) > 0 && draft.Lead.Actions[0].Fields["note"] != test.note {
				t.Errorf("note %q, want %q", draft.Lead.Actions[0].Fields["note"], test.note)
			}
			if name == "listed" {
				return
			}
			if len(draft.Remarks) != 1 || draft.Remarks[0].Status != "NOT_SENT" || !strings.Contains(draft.Remarks[0].Text, "the page offers") {
				t.Errorf("remarks %v", draft.Remarks)
			}
			for _, remark := range draft.Remarks {
				for _, value := range test.sent {
					if strings.Contains(remark.Text, value) && value != "product" {
						t.Errorf("remark %q contains %q", remark.Text, value)
					}
				}
			}
		})
	}
}
