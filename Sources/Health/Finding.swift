/// One row of a diagnosis: what was found, where, with which numbers, and what to do. All observers give these; the report shows them.
package struct Finding: Sendable {
  /// note: worth knowing; warning: results or training suffer; error: they are lost.
  package enum Severity: Int, Sendable { case note = 1, warning, error }
  /// A word or two that programs may test: "explode", "nan", "rounding", ...
  package var kind: String
  package var severity: Severity
  /// The host's name of a layer, node, parameter or operator; "" for the whole.
  package var place: String
  /// The step or run at which it was first seen; -1: none.
  package var step: Int
  /// From 0 to 1.
  package var confidence: Double
  /// A sentence, and its numbers by name.
  package var evidence: String
  package var numbers: [(name: String, value: Double)]
  /// The remedy by its id ("" for none), and what it does as a sentence in the imperative.
  package var remedy: String
  package var advice: String

  package init(_ kind: String, _ severity: Severity, place: String = "", step: Int = -1, confidence: Double = 1, _ evidence: String,
               _ numbers: [(name: String, value: Double)] = [], remedy: String = "", advice: String = "") {
    self.kind = kind
    self.severity = severity
    self.place = place
    self.step = step
    self.confidence = confidence
    self.evidence = evidence
    self.numbers = numbers
    self.remedy = remedy
    self.advice = advice
  }
}
