"""What Salesforce calls the files beside the deals: quotas, forecasts, campaigns, leads; and their columns.

Names of the API (which bulk exports have too), labels of reports, and those of connectors, as in `opportunities`.
"""

from __future__ import annotations

from forecast.data.sources.crm.export import File

_CURRENCY = ("CurrencyIsoCode", "Currency ISO Code", "Currency Code", "Currency")
_DELETED = ("IsDeleted", "_fivetran_deleted", "Deleted")
_STARTS = ("StartDate", "Start Date", "Period.StartDate", "Period: Start Date", "PeriodStartDate", "Period Start Date")
_ENDS = ("EndDate", "End Date", "Period.EndDate", "Period: End Date", "PeriodEndDate", "Period End Date")
_TYPE = (
    "ForecastingTypeId",
    "Forecast Type ID",
    "ForecastingType.DeveloperName",
    "Forecasting Type: Name",
    "Forecast Type Name",
    "Forecasting Type",
    "Forecast Type",
)
_FAMILY = ("ProductFamily", "Product Family")
_TERRITORY = ("Territory2Id", "Territory2.Name", "Territory ID", "Territory: Name", "Territory Name", "Territory")
_PERIOD = ("PeriodId", "Period ID")

_QUOTAS = File(
    role="quotas",
    stems=("ForecastingQuota", "ForecastingQuotas", "Forecasting Quota", "Forecasting Quotas", "Quota", "Quotas"),
    columns={
        "owner": (
            *("QuotaOwnerId", "Quota Owner ID", "User ID", "OwnerId", "Owner ID", "Forecast Owner ID"),
            *("QuotaOwner.Name", "Quota Owner: Full Name", "Owner: Full Name", "Quota Owner", "Owner Name"),
            *("Forecast Owner Name", "Full Name", "User Name", "Owner"),
        ),
        "starts": _STARTS,
        "ends": _ENDS,
        "period": _PERIOD,
        "amount": (
            *("convertCurrency(QuotaAmount)", "Quota Amount (converted)", "QuotaAmountConverted"),
            *("QuotaAmount", "Quota Amount", "Quota"),
        ),
        "currency": (*_CURRENCY, "Quota Amount Currency"),
        "type": _TYPE,
        "family": _FAMILY,
        "territory": _TERRITORY,
        "is_amount": ("IsAmount", "Is Amount"),
        "deleted": _DELETED,
    },
    needed=(),
)
_ITEMS = File(
    role="forecast_items",
    stems=("ForecastingItem", "ForecastingItems", "Forecasting Item", "Forecasting Items", "Forecast Items"),
    columns={
        "id": ("Id", "Forecasting Item ID", "ForecastingItemId"),
        "parent": ("ParentForecastingItemId", "Parent Forecasting Item ID", "Parent Forecasting Item: ID"),
        "owner": (
            *("OwnerId", "Owner ID", "ForecastOwnerId", "Forecast Owner ID"),
            *("Owner.Name", "Owner: Full Name", "Owner Name", "Forecast Owner", "Owner"),
        ),
        "starts": _STARTS,
        "ends": _ENDS,
        "period": _PERIOD,
        "category": (
            *("ForecastingItemCategory", "Forecasting Item Category"),
            *("ForecastCategoryName", "Forecast Category Name", "Forecast Category"),
        ),
        "amount": (
            *("convertCurrency(ForecastAmount)", "Forecast Amount (converted)", "ForecastAmountConverted"),
            *("ForecastAmount", "Forecast Amount"),
        ),
        "own_amount": ("OwnerOnlyAmount", "Owner Only Amount"),
        "submitted_on": (
            "Snapshot Date",
            "SnapshotDate",
            "Snapshot_Date__c",
            "Submitted On",
            "Submitted Date",
            "As Of Date",
        ),
        "currency": (*_CURRENCY, "Forecast Amount Currency"),
        "type": _TYPE,
        "family": _FAMILY,
        "territory": _TERRITORY,
        "deleted": _DELETED,
    },
    needed=(),
)
_SUBMISSIONS = File(
    role="submissions",
    stems=("ForecastingSubmission", "ForecastingSubmissions", "Forecasting Submission", "Forecast Submissions"),
    columns={
        "submission": ("Id", "Forecasting Submission ID", "ForecastingSubmissionId"),
        "owner": (
            "ForecastOwnerId",
            "Forecast Owner ID",
            "ForecastOwner.Name",
            "Forecast Owner: Full Name",
            "Forecast Owner",
        ),
        "starts": _STARTS,
        "ends": _ENDS,
        "period": _PERIOD,
        "submitted_on": (
            "SubmissionDateTime",
            "Submission Date Time",
            "Submission Date/Time",
            "CreatedDate",
            "Created Date",
        ),
        "type": _TYPE,
        "territory": _TERRITORY,
        "deleted": _DELETED,
    },
    needed=("submission", "submitted_on"),
)
_PARTS = File(
    role="submission_items",
    stems=("ForecastingSubmissionItem", "ForecastingSubmissionItems", "Forecasting Submission Item"),
    columns={
        "submission": ("ForecastingSubmissionId", "Forecasting Submission ID", "Forecasting Submission: ID"),
        "category": ("ForecastingItemCategory", "Forecasting Item Category"),
        "amount": ("Amount",),
        "deleted": _DELETED,
    },
    needed=("submission", "category", "amount"),
)
_CAMPAIGNS = File(
    role="campaigns",
    stems=("Campaign", "Campaigns", "Campaigns Report"),
    columns={
        "id": ("Id", "Campaign ID", "CampaignId", "Campaign ID 18", "Campaign Name"),
        "parent": ("ParentId", "Parent Campaign ID", "Parent Campaign"),
        "starts": ("StartDate", "Start Date"),
        "ends": ("EndDate", "End Date"),
        "amount": (
            *("convertCurrency(ActualCost)", "Actual Cost (converted)", "ActualCostConverted"),
            *("ActualCost", "Actual Cost", "Actual Cost in Campaign"),
        ),
        "hierarchy": ("HierarchyActualCost", "Total Actual Cost in Hierarchy", "Actual Cost in Hierarchy"),
        "budget": ("BudgetedCost", "Budgeted Cost", "Budgeted Cost in Campaign"),
        "leads": ("NumberOfLeads", "Leads in Campaign", "Total Leads", "Num Total Leads"),
        "channel": ("Type", "Campaign Type"),
        "currency": (*_CURRENCY, "Actual Cost Currency"),
        "deleted": _DELETED,
    },
    needed=(),
)
_MEMBERS = File(
    role="members",
    stems=("CampaignMember", "CampaignMembers", "Campaign Member", "Campaign Members"),
    columns={
        "campaign_id": ("CampaignId", "Campaign ID"),
        "lead_id": ("LeadId", "Lead ID", "Lead/Contact ID"),
        "created_at": ("CreatedDate", "Created Date", "Member First Associated Date"),
        "deleted": _DELETED,
    },
    needed=(),
)
_LEADS = File(
    role="leads",
    stems=("Lead", "Leads", "All Leads", "Leads Report"),
    columns={
        "lead_id": ("Id", "LeadId", "Lead ID", "Lead ID 18"),
        "created_at": ("CreatedDate", "Created Date", "Create Date"),
        "channel": ("LeadSource", "Lead Source"),
        "owner": ("OwnerId", "Owner ID", "Owner.Name", "Lead Owner", "Owner Name"),
        "converted_on": ("ConvertedDate", "Converted Date"),
        "opportunity_id": ("ConvertedOpportunityId", "Converted Opportunity ID", "Opportunity ID", "Opportunity ID 18"),
        "deleted": _DELETED,
    },
    needed=("created_at",),
)

FILES = (
    *(_QUOTAS, _ITEMS, _SUBMISSIONS, _PARTS, _CAMPAIGNS, _MEMBERS, _LEADS),
    File(
        role="periods",
        stems=("Period", "Periods"),
        columns={
            "period": ("Id", "Period ID"),
            "starts": ("StartDate", "Start Date"),
            "ends": ("EndDate", "End Date"),
        },
        needed=("period", "starts"),
    ),
    File(
        role="territories",
        stems=("Territory2", "Territory2s", "Territory", "Territories"),
        columns={"territory": ("Id", "Territory ID"), "name": ("Name", "Label", "Territory Label", "DeveloperName")},
        needed=("territory",),
    ),
    File(
        role="forecast_types",
        stems=("ForecastingType", "ForecastingTypes", "Forecasting Type"),
        columns={
            "type": ("Id", "Forecasting Type ID"),
            "active": ("IsActive", "Active"),
            "is_amount": ("IsAmount", "Is Amount"),
        },
        needed=("type",),
    ),
)
