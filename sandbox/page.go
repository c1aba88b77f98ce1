package sandbox

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// pageLeads is the highest number of leads on the page.
const pageLeads = 1000

//go:embed assets
var assets embed.FS

var pageTemplate = template.Must(template.ParseFS(assets, "assets/page.html"))

// assetTypes maps the paths of the page's files to content types.
var assetTypes = map[string]string{
	"/assets/page.css": "text/css; charset=utf-8",
	"/assets/page.js":  "text/javascript; charset=utf-8",
	"/assets/icon.svg": "image/svg+xml",
}

// pagePolicy only allows the page's own files, so nothing in a lead's values can run.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageHandler returns the handler for a path of the page, or nil for another path.
func (s *Sandbox) pageHandler(path string) http.HandlerFunc {
	switch path {
	case "/":
		return s.servePage
	case "/events":
		return s.serveEvents
	case "/leads.json":
		return s.serveLeads
	}
	if _, ok := assetTypes[path]; ok {
		return serveAsset
	}
	return nil
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	body, err := assets.ReadFile(r.URL.Path[1:])
	if err != nil {
		htmlAnswer(http.StatusNotFound).write(w)
		return
	}
	answer{status: http.StatusOK, contentType: assetTypes[r.URL.Path], body: body}.write(w)
}

func (s *Sandbox) serveLeads(w http.ResponseWriter, _ *http.Request) {
	jsonAnswer(http.StatusOK, s.Leads()).write(w)
}

// pageView is the data of the page's template.
type pageView struct {
	Cursor cursor
	Limit  int
	Leads  []leadView // newest first
}

type leadView struct {
	ID         string
	Title      string
	Arrived    time.Time
	Fields     []valueView
	Actions    []actionView
	Remarks    []Remark
	NewOptions []string
}

type actionView struct {
	Type   string
	Name   string
	Fields []valueView
}

type valueView struct {
	Name string
	Type FieldType
	JSON string   // the JSON type: string, number or array
	Text string   // if it is not an array
	List []string // if it is an array
	Note string   // explanation of a value that is hard to read
}

func (s *Sandbox) servePage(w http.ResponseWriter, _ *http.Request) {
	// An empty cursor is before everything, so all leads count as new.
	news := s.newsSince(cursor{})
	view := pageView{Cursor: news.cursor, Limit: pageLeads}
	for _, rec := range slices.Backward(news.records) {
		view.Leads = append(view.Leads, s.viewLead(rec.lead))
	}
	var body bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&body, "page", view); err != nil {
		htmlAnswer(http.StatusInternalServerError).write(w)
		return
	}
	answer{
		status:      http.StatusOK,
		contentType: typeHTML,
		header:      http.Header{"Content-Security-Policy": {pagePolicy}, "Referrer-Policy": {"no-referrer"}},
		body:        body.Bytes(),
	}.write(w)
}

func (s *Sandbox) viewLead(lead Lead) leadView {
	name, _ := lead.Fields["name"].(string)
	identifier, _ := lead.Fields[s.schema.Identifier].(string)
	view := leadView{
		ID:         lead.ID,
		Title:      cmp.Or(name, identifier),
		Arrived:    lead.CreatedAt.UTC(),
		Fields:     viewValues(s.schema.Fields, lead.Fields),
		Remarks:    lead.Remarks,
		NewOptions: lead.NewOptions,
	}
	for _, action := range lead.Actions {
		view.Actions = append(view.Actions, s.viewAction(action))
	}
	return view
}

// paymentFields lists the fields of a payment in the page's order.
var paymentFields = []Field{
	{APIName: "status", Type: TypeText},
	{APIName: "amount", Type: TypeMoney},
	{APIName: "currency", Type: TypeText},
	{APIName: paymentID, Type: TypeText},
}

func (s *Sandbox) viewAction(action Action) actionView {
	if action.Type == typePayment {
		return actionView{Type: typePayment, Name: "Payment", Fields: viewValues(paymentFields, action.Fields)}
	}
	definition, _ := s.schema.action(action.Type)
	return actionView{
		Type:   action.Type,
		Name:   cmp.Or(definition.Name, "Action"),
		Fields: viewValues(definition.Fields, action.Fields),
	}
}

// viewValues returns the values in the order of their fields' definitions. Every stored value has a
// definition.
func viewValues(fields []Field, values map[string]any) []valueView {
	views := make([]valueView, 0, len(values))
	for _, field := range fields {
		if value, ok := values[field.APIName]; ok {
			views = append(views, viewValue(field, value))
		}
	}
	return views
}

func viewValue(field Field, value any) valueView {
	view := valueView{Name: field.APIName, Type: field.Type}
	switch v := value.(type) {
	case string:
		view.JSON, view.Text = "string", v
	case json.Number:
		view.JSON, view.Text = "number", v.String()
		if field.Type == TypeDate {
			view.Note = dateInWords(v)
		}
	case []any:
		view.JSON = "array"
		for _, item := range v {
			view.List = append(view.List, fmt.Sprint(item))
		}
	}
	return view
}

func dateInWords(millis json.Number) string {
	n, err := strconv.ParseInt(millis.String(), 10, 64)
	if err != nil {
		return ""
	}
	return time.UnixMilli(n).UTC().Format("Mon 2 Jan 2006, 15:04 MST")
}
