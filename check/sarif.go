package check

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// SARIF returns the report as a SARIF log, to be encoded as JSON
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html). Code hosts show its findings
// beside the lines.
func (r *Report) SARIF() any {
	driver := sarifDriver{Name: "caddy-telecrm", InformationURI: "https://github.com/leadwire/caddy-telecrm"}
	for _, rule := range rules {
		driver.Rules = append(driver.Rules, sarifRule{
			ID: string(rule.Code), ShortDescription: sarifText{rule.Summary}, DefaultConfiguration: sarifLevel{rule.Severity},
			HelpURI: driver.InformationURI + "/blob/main/docs/check.md#" + string(rule.Code),
		})
	}
	results := make([]sarifResult, 0, len(r.Findings))
	for _, f := range r.Findings {
		results = append(results, f.sarif())
	}
	return sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{Tool: sarifTool{driver}, Results: results, ColumnKind: "unicodeCodePoints"}},
	}
}

func (f Finding) sarif() sarifResult {
	text := f.Message
	if f.Remedy != "" {
		text += "\n\nWrite:\n" + f.Remedy
	}
	result := sarifResult{
		RuleID: f.Code, RuleIndex: slices.IndexFunc(rules, func(rule Rule) bool { return rule.Code == f.Code }), Level: f.Severity,
		Message: sarifText{text},
	}
	if f.File != "" {
		location := sarifPhysical{Artifact: sarifArtifact{uriOf(f.File)}}
		if f.Line > 0 {
			location.Region = &sarifRegion{StartLine: f.Line, StartColumn: f.Column}
		}
		result.Locations = []sarifLocation{{location}}
	}
	return result
}

// uriOf returns the URI of a file, relative if the file's name is.
func uriOf(file string) string {
	if strings.HasPrefix(file, "http://") || strings.HasPrefix(file, "https://") {
		return file
	}
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
		u.Path = "/" + strings.TrimPrefix(u.Path, "/")
	}
	return strings.TrimPrefix(u.String(), "./")
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	Results    []sarifResult `json:"results"`
	ColumnKind string        `json:"columnKind"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID                   string     `json:"id"`
	ShortDescription     sarifText  `json:"shortDescription"`
	DefaultConfiguration sarifLevel `json:"defaultConfiguration"`
	HelpURI              string     `json:"helpUri"`
}

type sarifText struct {
	Text string `json:"text"`
}

// sarifLevel has the words of [Severity], which are SARIF's own.
type sarifLevel struct {
	Level Severity `json:"level"`
}

type sarifResult struct {
	RuleID    Code            `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     Severity        `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}
