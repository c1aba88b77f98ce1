package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

// definitionAnswer is one action in the answer of
// https://docs.telecrm.in/sync-api/enterprise/custom-actions-list.
type definitionAnswer struct {
	Code        string `json:"code"`
	DisplayName string `json:"displayName"`
	Score       int    `json:"score"`
	Source      string `json:"source"`
	ID          string `json:"id,omitempty"`
	FieldSchema any    `json:"fieldSchema,omitempty"` // with detail, a keyAnswer for each name
}

type keyAnswer struct {
	Type    FieldType `json:"type"`
	Options []string  `json:"options,omitempty"`
}

func (s *Sandbox) customActions(query string) answer {
	detail, err := parseFlag(query, "detail")
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	// TeleCRM lists its own actions too.
	actions := []definitionAnswer{{Code: "OUTGOING_CALL", DisplayName: "Outgoing call", Source: "SYSTEM"}}
	for _, action := range s.schema.Actions {
		ans := definitionAnswer{Code: actionPrefix + action.Code, DisplayName: action.Name, Source: "USER"}
		if detail {
			keys := make(map[string]keyAnswer)
			for _, field := range action.Fields {
				keys[field.APIName] = keyAnswer{field.Type, field.Options}
			}
			ans.ID, ans.FieldSchema = schemaID(ans.Code), keys
		}
		actions = append(actions, ans)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"customActions": actions})
}

// pipeline answers in the shape of https://docs.telecrm.in/sync-api/enterprise/lead-stage-pipeline,
// or with LiveShapes in the one seen in responses of the live service.
func (s *Sandbox) pipeline() answer {
	if s.cfg.LiveShapes {
		return jsonAnswer(http.StatusOK, map[string]any{"statuses": labelled("name", statusLabels(s.schema.Statuses)), "lostReasons": labelled("name", s.schema.LostReasons)})
	}
	stages := make([]any, 0, 3)
	for _, kind := range []string{"OPEN", "WON", "LOST"} {
		of := slices.DeleteFunc(slices.Clone(s.schema.Statuses), func(status Status) bool { return status.Stage != kind })
		var archived []string
		if kind == "OPEN" {
			archived = s.schema.ArchivedStatuses
		}
		stages = append(stages, map[string]any{
			"stageid": schemaID(kind), "stageType": kind, "visibility": true,
			"activeStatuses": labelled("label", statusLabels(of)), "archivedStatuses": labelled("label", archived),
		})
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"leadStages": stages, "activeLeadLostReasons": labelled("reasonLabel", s.schema.LostReasons),
		"archivedLeadLostReasons": labelled("reasonLabel", s.schema.ArchivedLostReasons), "version": 1,
	})
}

func statusLabels(statuses []Status) []string {
	labels := make([]string, 0, len(statuses))
	for _, status := range statuses {
		labels = append(labels, status.Label)
	}
	return labels
}

// labelled returns an object for each label.
func labelled(key string, labels []string) []map[string]any {
	items := make([]map[string]any, 0, len(labels))
	for _, label := range labels {
		items = append(items, map[string]any{key: label})
	}
	return items
}

// member answers https://docs.telecrm.in/sync-api/team-members/get.
func (s *Sandbox) member(email string) answer {
	if !validEmail(email) {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, "Email is invalid")
	}
	if !slices.ContainsFunc(s.schema.Members, func(known string) bool { return strings.EqualFold(known, email) }) {
		return errorAnswer(http.StatusNotFound, codeMemberNotFound, "Team member not found.")
	}
	return jsonAnswer(http.StatusOK, map[string]any{"name": "Team member", "email": email, "status": "Active"})
}
