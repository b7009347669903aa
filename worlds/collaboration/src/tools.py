"""The two objects, and the events they know."""

from fractions import Fraction

from unaiverse_lab.events import Action, Event, Object


class AgentGeneratesNByNMatrix(Event):
    event_type = "agent_generates_n_by_n_matrix_event"
    description = "Somebody wants a square matrix of random whole numbers."
    N: int


class SendGeneratedMatrix(Event):
    event_type = "send_generated_matrix_event"
    description = "A square matrix."
    matrix: list[list[int]]


class AgentComputesDeterminant(Event):
    event_type = "agent_computes_determinant"
    description = "Somebody wants the determinant of a matrix."
    matrix: list[list[int]]


class SendMatrixDeterminant(Event):
    event_type = "send_matrix_determinant"
    description = "The determinant of a matrix."
    determinant: int


class GenerateMatrix(Action):
    trigger_event_class = AgentGeneratesNByNMatrix
    description = "Makes a matrix of whole numbers from 0 to 9."

    def __call__(self, event: AgentGeneratesNByNMatrix) -> None:
        maker = self.host_object
        matrix = [[maker.rng.randrange(10) for _ in range(event.N)] for _ in range(event.N)]
        maker.send_event(SendGeneratedMatrix(target_id=event.sender_id, matrix=matrix))


class ComputeDeterminant(Action):
    trigger_event_class = AgentComputesDeterminant
    description = "Finds the determinant, exactly."

    def __call__(self, event: AgentComputesDeterminant) -> None:
        found = determinant(event.matrix)
        self.host_object.send_event(SendMatrixDeterminant(target_id=event.sender_id, determinant=found))


def determinant(matrix: list[list[int]]) -> int:
    """By elimination with fractions: exact for whole numbers."""
    rows, found = [[Fraction(number) for number in row] for row in matrix], Fraction(1)
    for column in range(len(rows)):
        pivot = next((r for r in range(column, len(rows)) if rows[r][column]), None)
        if pivot is None:
            return 0
        if pivot != column:
            rows[column], rows[pivot], found = rows[pivot], rows[column], -found
        found *= rows[column][column]
        for below in range(column + 1, len(rows)):
            factor = rows[below][column] / rows[column][column]
            rows[below] = [a - factor * b for a, b in zip(rows[below], rows[column], strict=True)]
    return int(found)


def matrix_generator() -> Object:
    """The object that makes matrices; its numbers follow from the seed of the run."""
    return Object("Matrix generator", "matrix_generator", "Makes matrices.", actions=[GenerateMatrix])


def det_calculator() -> Object:
    """The object that finds determinants."""
    return Object("Determinant calculator", "det_calculator", "Finds determinants.", actions=[ComputeDeterminant])
